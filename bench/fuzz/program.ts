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
    const fills: { -readonly [K in keyof Fill]: Fill[K] }[] = [];
    const keys = [...this.entries.keys()].toSorted((a, b) => a - b);
    let next = -1;
    for (const key of keys) {
      const gfn = Math.floor(key / 512) as Gfn;
      const { low, high } = this.get(gfn, key % 512);
      const run = fills.at(-1);
      const isNext = run !== undefined && key === next && high === run.high;
      if (isNext && low === run.low + run.count * pageStep) run.count += 1;
      else
        fills.push({ gfn, index: key % 512, count: 1, low, high, stepLow: pageStep, stepHigh: 0 });
      next = key + 1;
    }
    return fills;
  }
}

/** From one 4 KiB frame to the next, in an entry. */
const pageStep = 4096;
