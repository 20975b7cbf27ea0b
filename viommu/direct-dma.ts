/**
 * The DMA API of a guest that sees no IOMMU: IO pages are its own frames, mapping is nothing.
 */
import type { FrameRun } from "../linux/iommu/core.ts";
import type { DmaRights } from "../linux/iommu/entry-formats.ts";
import { type DmaApi, type DmaObserver, type DmaSegment, nobody } from "../linux/iommu/dma.ts";

export class DirectDma implements DmaApi {
  observer: DmaObserver = nobody;

  map(runs: readonly FrameRun[], rights: DmaRights): readonly DmaSegment[] {
    for (const run of runs) this.observer.mapped(run.frame, [run], rights);
    return runs.map(({ frame, pages }) => ({ page: frame, pages }));
  }

  unmap(segments: readonly DmaSegment[]): void {
    // No entry, so nothing to clear: a device reaches the page as before.
    for (const { page, pages } of segments) this.observer.cleared(page, pages);
  }
}
