/**
 * How much guest memory a program needs: its pages, their tables, the kernel.
 */

export interface Footprint {
  /** Pages of data and files that exist at once, all processes together. */
  readonly pages: number;
  /** Most processes alive at once. */
  readonly processes: number;
}

/** Kernel text and its 2 MiB page. */
const imageFrames = 512;
/** Roots, kernel stack, tables of image, stack and mmap area (3 levels each), stack and image pages. */
const processFrames = 40;
/** Tables of the direct map when its pages are small: 1 frame in 512, and as many again for the data's. */
const framesPerTable = 512;

/** 4 KiB frames, with a reserve of one in sixteen so that 2 MiB blocks are found. */
export function footprintFrames({ pages, processes }: Footprint): number {
  const bare = imageFrames + pages + processes * processFrames;
  return Math.ceil((bare + (2 * bare) / framesPerTable) * (1 + 1 / 16)) + framesPerTable;
}
