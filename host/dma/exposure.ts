/**
 * How long pages stay within reach of a device after their driver has given them up, for all that the guest's kernel knows.
 *
 * Model: a hypervisor may have taken a page back earlier (write protection does at the store). Bias: none in counts; a lazy
 * guest looks more exposed under such a scheme than it is.
 */
import type { DmaClock } from "../../linux/iommu/clock.ts";
import type { FrameRun } from "../../linux/iommu/core.ts";
import type { DmaObserver } from "../../linux/iommu/dma.ts";
import type { DmaRights } from "../../linux/iommu/entry-formats.ts";

export class ExposureMeter implements DmaObserver {
  /** Pages that were given up. */
  pages = 0;
  private readonly clock: DmaClock;
  private readonly next: DmaObserver;
  private microseconds = 0;
  /** IO pages that were given up and may still be reached, and since when. */
  private readonly since = new Map<number, number>();

  /** `next` is told of everything too. */
  constructor(clock: DmaClock, next: DmaObserver) {
    this.clock = clock;
    this.next = next;
  }

  /** Page-microseconds until now, of pages that can still be reached as well. */
  total(): number {
    let { microseconds } = this;
    for (const start of this.since.values()) microseconds += this.clock.now - start;
    return microseconds;
  }

  mapped(page: number, runs: readonly FrameRun[], rights: DmaRights): void {
    const pages = runs.reduce((sum, run) => sum + run.pages, 0);
    // It is the device's again.
    this.end(page, pages);
    this.next.mapped(page, runs, rights);
  }

  cleared(page: number, pages: number): void {
    this.pages += pages;
    for (let i = 0; i < pages; i++) this.since.set(page + i, this.clock.now);
    this.next.cleared(page, pages);
  }

  forgotten(page: number, pages: number): void {
    this.end(page, pages);
    this.next.forgotten(page, pages);
  }

  private end(page: number, pages: number): void {
    for (let i = 0; i < pages; i++) {
      const start = this.since.get(page + i);
      if (start === undefined) continue;
      this.microseconds += this.clock.now - start;
      this.since.delete(page + i);
    }
  }
}
