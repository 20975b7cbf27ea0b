/**
 * The page cache: one frame per page of each file, shared by all who map it, never given back.
 *
 * Model: there is no disk. A page that is not cached is filled with zeros through the direct map, in place
 * of the device's DMA. Bias: none, the stores are the same under every scheme.
 */
import type { Gfn } from "../machine/address.ts";
import type { DirectMap } from "./direct-map.ts";
import type { FrameAllocator } from "./frames.ts";

export class PageCache {
  private readonly frames: FrameAllocator;
  private readonly files = new Map<number, Map<number, Gfn>>();

  constructor(frames: FrameAllocator) {
    this.frames = frames;
  }

  peek(file: number, page: number): Gfn | undefined {
    return this.files.get(file)?.get(page);
  }

  /** The page, filled by the processor whose direct map this is unless it is cached. */
  get(file: number, page: number, map: DirectMap): Gfn {
    const found = this.peek(file, page);
    if (found !== undefined) return found;
    const frame = this.frames.take();
    map.zero(frame);
    const pages = this.files.get(file) ?? new Map<number, Gfn>();
    this.files.set(file, pages.set(page, frame));
    return frame;
  }
}
