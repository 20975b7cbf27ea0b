/**
 * A guest whose tables have a bit flipped: it goes round all its pages before and after, and each access is noted.
 *
 * Its data pages are full of words that every format here takes for an entry that leads into the hypervisor's tables: who
 * hammers memory fills as much of it as he has with such words, so that a table lost is a table won.
 *
 * Source: Seaborn and Dullien, "Exploiting the DRAM rowhammer bug to gain kernel privileges", 2015.
 */
import type { Gfn, Vpn } from "../../machine/address.ts";
import { identity, type Placement } from "../../machine/placement.ts";
import { ACC_EXEC, ACC_USER, lowHalf } from "../../machine/formats/x86-entry.ts";
import { wordsPerFrame } from "../../machine/memory.ts";
import type { Observer } from "../../machine/observer.ts";
import type { Engine } from "../../hypervisor/engine.ts";
import type { PolicyRule } from "../../hypervisor/policy/rules.ts";
import {
  direct,
  frameOfPage,
  frameOfTable,
  SmallGuest,
  tablesMax,
  userPage,
} from "../channels/small-guest.ts";
import {
  type FlippingMemory,
  framesOfGuest,
  guestsFrames,
  type HostOfFlips,
} from "./host-of-flips.ts";

/** User pages: those of code that are locked under some schemes, data, one mapped but not used before, one not mapped. */
export const lockedPages = 64;
const dataPages = 192;
const usedPages = lockedPages + dataPages;
const coldPage = usedPages;
const unmappedPage = coldPage + 1;
const pages = unmappedPage + 1;

/** What locks the code pages by both names: who leads to which frame, and what may be done with it. */
export const lockRules: readonly PolicyRule[] = [
  { kind: "lock-frames", start: frameOfPage(0), frames: lockedPages },
  {
    kind: "lock-pages",
    start: userPage(0),
    pages: lockedPages,
    first: frameOfPage(0),
    access: ACC_EXEC + ACC_USER,
  },
];

export interface FlipScheme {
  readonly engine: Engine;
  readonly rules?: readonly PolicyRule[];
}

/** An access of the guest's, and the host frame that it reached; `refused` if there was none. */
export interface Reached {
  readonly vpn: Vpn;
  readonly isStore: boolean;
  readonly isUser: boolean;
  readonly pfn: number;
}
export const refused = -1;

export class FlippedGuest {
  readonly guest: SmallGuest;
  readonly memory: FlippingMemory;
  readonly isBare: boolean;
  private reached: Reached[] = [];
  private isUser = false;

  constructor({ engine, rules = [] }: FlipScheme, { memory, room }: HostOfFlips, check: boolean) {
    const guest = new SmallGuest({
      engine,
      pages,
      codePages: lockedPages,
      mappedPages: unmappedPage,
      rules,
      host: room,
      check,
    });
    this.guest = guest;
    this.memory = memory;
    this.isBare = engine.family === "bare";
    guest.vcpu.software = { pageFault: () => "abandon" };
    this.fillData();
    this.use(usedPages);
    if (guest.oracle === null) guest.vcpu.observer = this.recorder();
  }

  get placement(): Placement {
    return this.isBare ? identity : this.guest.machine.placement;
  }

  /** Everything that the guest may try, and what comes of it. Throws what stops the hypervisor or silicon. */
  goRound(): readonly Reached[] {
    this.reached = [];
    this.use(pages);
    return this.reached;
  }

  /** What was noted of a round that was not finished. */
  get sofar(): readonly Reached[] {
    return this.reached;
  }

  /** From now on the run is noted, and no longer held against the oracle: it knows of no flips. */
  note(): void {
    this.guest.vcpu.drain();
    this.guest.vcpu.observer = this.recorder();
  }

  /** Caches have lost what they knew of tables, as they do in time. */
  forget(): void {
    const { mmu } = this.guest.vcpu;
    mmu.flushLinear();
    mmu.flushNested();
  }

  /** Whoever translates for the guest makes all of it anew: its kernel loads CR3, the host takes its pages away. */
  renew(): void {
    const { vcpu } = this.guest;
    if (!this.isBare) {
      for (let gfn = 0; gfn < framesOfGuest; gfn++) {
        this.guest.memory.zap(gfn as Gfn);
      }
    }
    vcpu.writeCr3(vcpu.cr3.root);
    this.forget();
  }

  private fillData(): void {
    const words = new Int32Array(wordsPerFrame);
    for (let i = 0; i < wordsPerFrame; i += 2) words[i] = entryIntoTables;
    for (let page = lockedPages; page < usedPages; page++) {
      const pfn = this.placement(frameOfPage(page));
      this.memory.fill(pfn, { words, stamp: this.memory.stampOf(pfn) });
    }
  }

  private use(userPages: number): void {
    const { vcpu } = this.guest;
    this.isUser = true;
    vcpu.setPrivilege("user");
    for (let page = 0; page < userPages; page++) {
      const vpn = userPage(page);
      vcpu.read(vpn);
      vcpu.write(vpn);
      vcpu.fetch(vpn);
    }
    for (let table = 0; table < tablesMax; table++) vcpu.read(direct(frameOfTable(table)));
    vcpu.drain();
    this.isUser = false;
    vcpu.setPrivilege("supervisor");
    for (let table = 0; table < tablesMax; table++) vcpu.read(direct(frameOfTable(table)));
    vcpu.drain();
  }

  private recorder(): Observer {
    const note = (vpn: Vpn, high: number, pfn: number) => {
      const { isUser } = this;
      // The sign of the column says that it is a store.
      this.reached.push({ vpn, isStore: high < 0, isUser, pfn });
    };
    return {
      access: (_cpu, vpn, high, pfn) => note(vpn, high, pfn),
      emulated: (_cpu, { vpn, high, pfn }) => note(vpn, high, pfn),
      guestFault: (_cpu, { vpn }, high) => note(vpn, high, refused),
      denied: (_cpu, vpn, high) => note(vpn, high, refused),
      mmio: (_cpu, { vpn }, high) => note(vpn, high, refused),
      storing: () => undefined,
      copying: () => 0,
      copied: () => undefined,
      invalidated: () => undefined,
    };
  }
}

/**
 * To the first of the host's frames for tables, a multiple of 2 MiB, for a table's entry and for a large page's. Bits 0 to 2:
 * rights; 4 and 5: A, or write-back; 6, 8, 9: D, A and D.
 */
const entryIntoTables = lowHalf(guestsFrames, 0x3f7);
