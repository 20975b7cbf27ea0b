/**
 * What the fuzzer runs: one guest as data, its memory at boot and its ops, the same for every engine.
 *
 * A program is a `vmmu-trace 3` and nothing more, so whatever fails can be written down and replayed.
 */
import type { Gfn } from "../../machine/address.ts";
import { highHalf, lowHalf } from "../../machine/formats/x86-entry.ts";
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

/** Guest memory before boot, as a generator builds it; later, what the guest believes to be there. */
export class BootImage {
  private readonly frames = new Map<number, Map<number, Entry>>();

  set(gfn: Gfn, index: number, entry: Entry): void {
    const frame = this.frames.get(gfn);
    if (frame === undefined) this.frames.set(gfn, new Map([[index, entry]]));
    else frame.set(index, entry);
  }

  get(gfn: Gfn, index: number): Entry {
    return this.frames.get(gfn)?.get(index) ?? notPresent;
  }

  zero(gfn: Gfn): void {
    this.frames.delete(gfn);
  }

  copy(to: Gfn, from: Gfn): void {
    const source = this.frames.get(from);
    if (source === undefined) this.frames.delete(to);
    else this.frames.set(to, new Map(source));
  }

  /** One `fill` per run of entries that point to consecutive frames with equal flags. */
  fills(): Fill[] {
    const fills: { -readonly [K in keyof Fill]: Fill[K] }[] = [];
    for (const [gfn, frame] of [...this.frames].toSorted(([a], [b]) => a - b)) {
      let next = -1;
      for (const [index, { low, high }] of [...frame].toSorted(([a], [b]) => a - b)) {
        const run = fills.at(-1);
        const isNext = run !== undefined && index === next && high === run.high;
        if (isNext && low === run.low + run.count * pageStep) run.count += 1;
        else
          fills.push({
            gfn: gfn as Gfn,
            index,
            count: 1,
            low,
            high,
            stepLow: pageStep,
            stepHigh: 0,
          });
        next = index + 1;
      }
    }
    return fills;
  }
}

/** From one 4 KiB frame to the next, in an entry. */
const pageStep = 4096;
