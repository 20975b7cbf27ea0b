/**
 * What a snapshot must still hold: versions and bytes of its frames, noted when it was taken.
 */
import type { Gfn, Pfn } from "../../machine/address.ts";
import type { PhysicalMemory } from "../../machine/memory.ts";
import { digestFrame } from "./memory-digest.ts";

interface Kept {
  readonly pfn: Pfn;
  readonly version: number;
  readonly digest: number;
}

export class KeptContents {
  private readonly memory: PhysicalMemory;
  private readonly pages = new Map<Gfn, Kept>();
  private readonly frames = new Set<Pfn>();

  constructor(memory: PhysicalMemory) {
    this.memory = memory;
  }

  take(frames: ReadonlyMap<Gfn, Pfn>): void {
    for (const [gfn, pfn] of frames) {
      this.frames.add(pfn);
      this.pages.set(gfn, { pfn, ...this.now(pfn) });
    }
  }

  /** Is the frame part of the snapshot? Then nobody may write it. */
  holds(pfn: Pfn): boolean {
    return this.frames.has(pfn);
  }

  /** A page whose kept contents changed, or undefined. */
  changed(): Gfn | undefined {
    for (const [gfn, { pfn, version, digest }] of this.pages) {
      const now = this.now(pfn);
      if (now.version !== version || now.digest !== digest) return gfn;
    }
    return undefined;
  }

  drop(): void {
    this.pages.clear();
    this.frames.clear();
  }

  private now(pfn: Pfn): Pick<Kept, "version" | "digest"> {
    const { memory } = this;
    return { version: memory.stamps[pfn]!, digest: digestFrame(memory, pfn) };
  }
}
