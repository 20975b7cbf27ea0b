/**
 * One bit of one table flips: what the guest reaches by it, at once and after all translations were made anew.
 */
import type { Gfn, Pfn } from "../../machine/address.ts";
import { type BitKind, kindOfBit } from "../../machine/formats/bit-kind.ts";
import { OutsideMemory } from "../../machine/outside-memory.ts";
import { frameOfPage, frameOfTable, tablesMax, userPage } from "../channels/small-guest.ts";
import {
  FlippedGuest,
  type FlipScheme,
  lockedPages,
  type Reached,
  refused,
} from "./flipped-guest.ts";
import { type FlippingMemory, framesOfGuest, hostOfFlips, ownFrames } from "./host-of-flips.ts";
import { guestEntries, hypervisorEntries, type TableEntry, type Writer } from "./table-bits.ts";

/**
 * What a flip did, the worst last: nothing; an access that worked faults, or leads where the guest has no memory; the guest
 * reaches another frame of its own, or one by more than its right; a program reaches the guest's tables; what is locked
 * leads elsewhere or is stored to; the hypervisor stops; the guest reaches what is not its own, or the hypervisor stores
 * there for it.
 */
export const effects = ["none", "faults", "own", "tables", "lock", "stops", "escapes"] as const;
export type Effect = (typeof effects)[number];

export interface Flip {
  readonly entry: TableEntry;
  readonly bit: number;
}

export interface FlipOutcome {
  readonly flip: Flip;
  /** With the tables as the flip left them, nothing cached. */
  readonly atOnce: Effect;
  /** After the kernel has loaded CR3 and the host has taken each page away once; as `atOnce` if that was the end. */
  readonly after: Effect;
  /** What stopped the hypervisor. */
  readonly stoppedBy: string | null;
}

export function worse(one: Effect, other: Effect): Effect {
  return effects.indexOf(one) < effects.indexOf(other) ? other : one;
}

/** Flips bits of one scheme's tables, one a life of the guest's. */
export class FlipBench {
  /** All entries on the way to the guest's pages. */
  readonly entries: readonly TableEntry[];
  /** Frames that there are where an entry of theirs leads. */
  private readonly framesBehind: Readonly<Record<Writer, number>>;
  private readonly scheme: FlipScheme;
  private readonly expected: readonly Reached[];
  private readonly own: ReadonlySet<Pfn>;
  private readonly tables: ReadonlySet<Pfn>;
  private readonly locked: ReadonlySet<Pfn>;
  private memory: FlippingMemory | null = null;

  constructor(scheme: FlipScheme, check = false) {
    this.scheme = scheme;
    const whole = this.life(check);
    const { vcpu } = whole.guest;
    this.entries = [...guestEntries(vcpu, whole.placement), ...hypervisorEntries(vcpu)];
    const hosts = whole.memory.frames;
    this.framesBehind = { guest: whole.isBare ? hosts : framesOfGuest, hypervisor: hosts };
    whole.note();
    this.expected = whole.goRound();
    const placed = (gfns: readonly Gfn[]) => new Set(gfns.map((gfn) => whole.placement(gfn)));
    const count = (frames: number, of: (i: number) => Gfn) =>
      Array.from({ length: frames }, (_, i) => of(i));
    this.tables = placed(count(tablesMax, frameOfTable));
    this.locked = placed(scheme.rules === undefined ? [] : count(lockedPages, frameOfPage));
    this.own = whole.isBare
      ? new Set(this.expected.flatMap(({ pfn }) => (pfn < 0 ? [] : [pfn as Pfn])))
      : ownFrames();
  }

  kindOf({ entry, bit }: Flip): BitKind {
    return kindOfBit(entry.format, entry.level, entry, bit, this.framesBehind[entry.writer]);
  }

  flip({ entry, bit }: Flip): FlipOutcome {
    const life = this.life(false);
    life.memory.flip(entry.pfn, entry.index, bit);
    life.forget();
    let stored: Effect = "none";
    life.memory.onStore = (pfn) => {
      if (this.isNobodysTable(life, entry.writer, pfn)) stored = "escapes";
    };
    const atOnce = this.round(life, entry.writer, () => undefined);
    const first = worse(atOnce.effect, stored);
    const flip = { entry, bit };
    const { stoppedBy } = atOnce;
    if (stoppedBy !== null) return { flip, atOnce: first, after: first, stoppedBy };
    stored = "none";
    const after = this.round(life, entry.writer, () => life.renew());
    return { flip, atOnce: first, after: worse(after.effect, stored), stoppedBy: after.stoppedBy };
  }

  /** Does the hypervisor take a frame for a table of its own that is none? Into the guest's own it stores for the guest. */
  private isNobodysTable({ memory }: FlippedGuest, writer: Writer, pfn: Pfn): boolean {
    return writer === "hypervisor" && !memory.tables.has(pfn) && !this.tables.has(pfn);
  }

  private round(
    life: FlippedGuest,
    writer: Writer,
    before: () => void,
  ): { readonly effect: Effect; readonly stoppedBy: string | null } {
    try {
      before();
      return { effect: this.effectOf(life.goRound()), stoppedBy: null };
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      // Where the guest's own tables lead outside its memory, its access ends there.
      const isGuests = error instanceof OutsideMemory && writer === "guest";
      const effect = worse(this.effectOf(life.sofar), isGuests ? "faults" : "stops");
      return { effect, stoppedBy: error.message };
    }
  }

  private effectOf(reached: readonly Reached[]): Effect {
    return reached.reduce<Effect>((worst, one, i) => worse(worst, this.effectOn(one, i)), "none");
  }

  private effectOn({ vpn, pfn, isStore, isUser }: Reached, i: number): Effect {
    if (pfn === this.expected[i]?.pfn) return "none";
    if (pfn === refused) return "faults";
    const frame = pfn as Pfn;
    if (!this.own.has(frame)) return "escapes";
    const isLockedPage = vpn >= userPage(0) && vpn < userPage(lockedPages);
    const isBroken = isStore ? this.locked.has(frame) : isLockedPage && this.locked.size > 0;
    if (isBroken) return "lock";
    return isUser && this.tables.has(frame) ? "tables" : "own";
  }

  private life(check: boolean): FlippedGuest {
    const host = hostOfFlips(this.memory);
    this.memory = host.memory;
    return new FlippedGuest(this.scheme, host, check);
  }
}
