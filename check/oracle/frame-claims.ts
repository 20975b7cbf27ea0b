/**
 * How many guest pages lie in each host frame, over all guests of one memory, as the oracles see it.
 *
 * A frame that two pages lie in may be read by both and written by none.
 */
import type { Pfn } from "../../machine/address.ts";
import type { PhysicalMemory } from "../../machine/memory.ts";

export class FrameClaims {
  private static readonly known = new WeakMap<object, FrameClaims>();
  private readonly counts: Int32Array;

  private constructor(memory: PhysicalMemory) {
    this.counts = new Int32Array(memory.frames);
  }

  /** The one that all oracles over this memory share, until it is reset. */
  static of(memory: PhysicalMemory): FrameClaims {
    const claims = FrameClaims.known.get(memory.life) ?? new FrameClaims(memory);
    FrameClaims.known.set(memory.life, claims);
    return claims;
  }

  count(pfn: Pfn): number {
    return this.counts[pfn]!;
  }

  add(pfn: Pfn): void {
    this.counts[pfn]! += 1;
  }

  remove(pfn: Pfn): void {
    this.counts[pfn]! -= 1;
  }
}
