/**
 * What the fuzzer runs: one guest as data, its memory at boot and its ops, the same for every engine.
 *
 * A program is a `vmmu-trace 3` and nothing more, so whatever fails can be written down and replayed.
 */
import type { Gfn } from "../../machine/address.ts";
import { highHalf, lowHalf } from "../../machine/entry.ts";
import type { Fill, TraceHeader, TraceOp } from "../../workloads/trace/ops.ts";

export interface Program {
  readonly header: TraceHeader;
  /** Ops in groups that a shrinker keeps or drops whole: a store and its flush, say. */
  readonly groups: readonly OpGroup[];
  /**
   * Does the guest flush as it should? Then no access may need a cached value, and all engines must leave
   * the same memory behind.
   */
  readonly isOrderly: boolean;
}

export type OpGroup = readonly TraceOp[];

/** A page-table entry as the guest stores it. */
export interface Entry {
  readonly low: number;
  readonly high: number;
}

export const notPresent: Entry = { low: 0, high: 0 };

export function entryTo(frame: number, flags: number, nx = 0): Entry {
  return { low: lowHalf(frame, flags), high: highHalf(frame, nx) };
}

/** Guest memory before boot, as a generator builds it. */
export class BootImage {
  private readonly entries = new Map<number, Entry>();

  set(gfn: Gfn, index: number, entry: Entry): void {
    this.entries.set(gfn * 512 + index, entry);
  }

  get(gfn: Gfn, index: number): Entry {
    return this.entries.get(gfn * 512 + index) ?? notPresent;
  }

  zero(gfn: Gfn): void {
    for (let index = 0; index < 512; index++) this.entries.delete(gfn * 512 + index);
  }

  copy(to: Gfn, from: Gfn): void {
    for (let index = 0; index < 512; index++) this.set(to, index, this.get(from, index));
  }

  /** One `fill` per run of entries that point to consecutive frames with equal flags. */
  fills(): Fill[] {
    const fills: Fill[] = [];
    const sorted = [...this.entries].toSorted(([a], [b]) => a - b);
    let last: { fill: Fill; next: number; nextLow: number } | undefined;
    for (const [key, { low, high }] of sorted) {
      if (
        last !== undefined &&
        key === last.next &&
        low === last.nextLow &&
        high === last.fill.high
      ) {
        fills[fills.length - 1] = { ...last.fill, count: last.fill.count + 1 };
      } else {
        const gfn = Math.floor(key / 512) as Gfn;
        fills.push({ gfn, index: key % 512, count: 1, low, high, stepLow: pageStep, stepHigh: 0 });
      }
      const fill = fills.at(-1);
      if (fill !== undefined) last = { fill, next: key + 1, nextLow: low + pageStep };
    }
    return fills;
  }
}

/** From one 4 KiB frame to the next, in an entry. */
const pageStep = 4096;
