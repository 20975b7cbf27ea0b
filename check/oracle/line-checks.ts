/**
 * What the oracle says of locked lines, 128 bytes each: nobody stores to one, by an access, by emulation or unseen; no table
 * of sub-page permissions that silicon reads lets the guest; and a store that touches none is not denied on their account.
 */
import { indexAt, type Pfn, type Vpn } from "../../machine/address.ts";
import type { PolicyRule, Verdict } from "../../hypervisor/policy/rules.ts";
import type { Machine } from "../../machine/machine.ts";
import { WHOLE_PAGE } from "../../machine/mmu.ts";
import type { Vcpu } from "../../machine/vcpu.ts";
import type { HostFrames } from "./host-frames.ts";
import { hex } from "./mismatch.ts";

const linesInPage = 32;
const entriesInLine = 16;

/** A store of a guest's: its high column and the byte of its page. */
export interface StoreAt {
  readonly high: number;
  readonly offset: number;
}

/** An access to data, for whoever knows pages too. */
export interface DataAt extends StoreAt {
  readonly vpn: Vpn;
}

export class LineChecks {
  private readonly machine: Machine;
  private readonly frames: HostFrames;
  /** By frame, numbers of its locked lines. */
  private readonly locked = new Map<number, Set<number>>();
  /** What locked lines held when they were first looked at. */
  private readonly held = new Map<number, string>();

  constructor(machine: Machine, frames: HostFrames) {
    this.machine = machine;
    this.frames = frames;
  }

  note(rule: PolicyRule & { readonly kind: "lock-lines" }): void {
    for (let gfn = rule.start as number; gfn < rule.start + rule.frames; gfn++) {
      const lines = this.locked.get(gfn) ?? new Set();
      for (let line = 0; line < linesInPage; line++) {
        if ((rule.lines & (2 ** line)) !== 0) lines.add(line);
      }
      this.locked.set(gfn, lines);
      // More of the frame counts from now on.
      this.held.delete(gfn);
    }
  }

  has(gfn: number): boolean {
    return this.locked.has(gfn);
  }

  /** What an access that has completed did against the locks. */
  breach({ high, offset }: StoreAt, gfn: number): string | undefined {
    if (high >= 0 || !this.touchesLocked({ high, offset }, gfn)) return undefined;
    return `stored to byte ${hex(offset)} of gfn ${hex(gfn)}, in a line that is locked`;
  }

  /** Was a store denied that touches no locked line, in a frame where only lines are locked? */
  isDeniedInVain({ by, gfn }: Verdict, store: StoreAt): boolean {
    const isGuests = by === "guest" || by === "emulator";
    return isGuests && this.has(gfn) && store.high < 0 && !this.touchesLocked(store, gfn);
  }

  /** What is wrong with the bytes of locked lines and with what silicon is told of them. */
  problem(): string | undefined {
    for (const [gfn, lines] of this.locked) {
      for (const vcpu of this.machine.vcpus) {
        const open = [...lines].find((line) => isOpen(vcpu, gfn, line));
        if (open !== undefined) return `the permissions of gfn ${hex(gfn)} open line ${open}`;
      }
      const pfn = this.frames.pfnOf[gfn]!;
      // What is swapped out is compared when it comes back.
      if (pfn < 0) continue;
      const now = this.bytesOf(pfn as Pfn, lines);
      const before = this.held.get(gfn);
      if (before === undefined) this.held.set(gfn, now);
      else if (before !== now) return `a locked line of gfn ${hex(gfn)} changed`;
    }
    return undefined;
  }

  private touchesLocked({ high, offset }: StoreAt, gfn: number): boolean {
    const lines = this.locked.get(gfn);
    if (lines === undefined) return false;
    return (high & WHOLE_PAGE) !== 0 ? lines.size > 0 : lines.has(Math.floor(offset / 128));
  }

  private bytesOf(pfn: Pfn, lines: ReadonlySet<number>): string {
    const { memory } = this.machine;
    const words: number[] = [];
    for (const line of lines) {
      for (let i = 0; i < entriesInLine; i++) {
        const index = line * entriesInLine + i;
        words.push(memory.readLow(pfn, index), memory.readHigh(pfn, index));
      }
    }
    return words.join(" ");
  }
}

/** Does the table of sub-page permissions that this vCPU has, if it has one, let the guest store to the line? */
function isOpen({ controls, memory }: Vcpu, gfn: number, line: number): boolean {
  const { subPages, format } = controls.stages(4).at(-1)!;
  let table = subPages;
  for (let level = 4; table !== null; level--) {
    const index = indexAt(gfn, level);
    const [low, high] = [memory.readLow(table, index), memory.readHigh(table, index)];
    if (level === 1) return (((line < 16 ? low : high) >>> (2 * (line % 16))) & 1) !== 0;
    table = (low & 1) === 0 ? null : (format.frameOf(low, high) as Pfn);
  }
  return false;
}
