/**
 * VFIO type 1: how user space, a hypervisor above all, maps memory for a device.
 *
 * Each map call becomes one object and is torn down as one: pages are pinned, and mapped by run of frames that follow each
 * other. Unmapping goes by runs again and invalidates once per 512 of them or at the object's end.
 *
 * Source: Linux 6.1 drivers/vfio/vfio_iommu_type1.c `vfio_pin_map_dma`, `vfio_unmap_unpin`, `unmap_unpin_fast`,
 * VFIO_IOMMU_TLB_SYNC_MAX.
 */
import { assert } from "../../machine/assert.ts";
import { Gather, type IommuDomain, iommuMap, iommuUnmapFast } from "./core.ts";
import type { DmaRights } from "./entry-formats.ts";

/** Runs that may be unmapped before one invalidation. */
const runsPerSync = 512;

interface MapCall {
  readonly page: number;
  readonly pages: number;
}

/** Host memory as VFIO pins it. */
export interface PinnedMemory {
  /** The frame of user page `page`, which stays where it is until it is released. */
  pin(page: number): number;
  unpin(page: number): void;
}

export class VfioContainer {
  private readonly domain: IommuDomain;
  private readonly memory: PinnedMemory;
  /** By first IO virtual page; they do not overlap. */
  private readonly calls = new Map<number, MapCall & { readonly user: number }>();
  /** Pages pinned now, and at most. */
  pinned = 0;
  pinnedPeak = 0;
  /** VFIO_IOMMU_MAP_DMA and VFIO_IOMMU_UNMAP_DMA. */
  mapCalls = 0;
  unmapCalls = 0;

  constructor(domain: IommuDomain, memory: PinnedMemory) {
    this.domain = domain;
    this.memory = memory;
  }

  /** User pages from `user` on become IO virtual pages from `page` on. */
  map(page: number, user: number, pages: number, rights: DmaRights): void {
    this.mapCalls += 1;
    assert(!this.calls.has(page), () => `vfio: IO page ${page} is mapped`);
    this.calls.set(page, { page, pages, user });
    for (let done = 0; done < pages;) {
      const run = this.pinRun(user + done, pages - done);
      iommuMap(this.domain, page + done, [run], rights);
      done += run.pages;
    }
    this.pinned += pages;
    if (this.pinned > this.pinnedPeak) this.pinnedPeak = this.pinned;
  }

  private pinRun(user: number, pages: number): { frame: number; pages: number } {
    const frame = this.memory.pin(user);
    let length = 1;
    while (length < pages && this.memory.pin(user + length) === frame + length) length += 1;
    // The page that did not follow is pinned again by its own run.
    if (length < pages) this.memory.unpin(user + length);
    return { frame, pages: length };
  }

  /** The user page behind an IO page; null when nothing is mapped there. */
  userOf(page: number): number | null {
    const exact = this.calls.get(page);
    if (exact !== undefined) return exact.user;
    for (const call of this.calls.values()) {
      if (page >= call.page && page < call.page + call.pages) return call.user + page - call.page;
    }
    return null;
  }

  /** Takes back all map calls that lie in [page, page + pages). */
  unmap(page: number, pages: number): void {
    this.unmapCalls += 1;
    for (const call of this.callsIn(page, pages)) this.remove(call);
  }

  private callsIn(page: number, pages: number): (MapCall & { readonly user: number })[] {
    const exact = this.calls.get(page);
    if (exact?.pages === pages) return [exact];
    return [...this.calls.values()]
      .filter((call) => call.page >= page && call.page + call.pages <= page + pages)
      .sort((a, b) => a.page - b.page);
  }

  private remove({ page, pages, user }: MapCall & { readonly user: number }): void {
    const gather = new Gather(this.domain);
    let runs = 0;
    for (let done = 0; done < pages;) {
      const length = this.runAt(page + done, pages - done);
      done += iommuUnmapFast(this.domain, page + done, length, gather);
      runs += 1;
      if (runs === runsPerSync) {
        gather.sync();
        runs = 0;
      }
    }
    gather.sync();
    // Only now can no device reach them.
    for (let i = 0; i < pages; i++) this.memory.unpin(user + i);
    this.pinned -= pages;
    this.calls.delete(page);
  }

  /** Pages from `page` on whose frames follow each other. */
  private runAt(page: number, pages: number): number {
    const frame = this.domain.translate(page);
    assert(frame !== null, () => `vfio: IO page ${page} has lost its entry`);
    let length = 1;
    while (length < pages && this.domain.translate(page + length) === frame + length) length += 1;
    return length;
  }
}
