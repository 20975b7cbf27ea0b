/**
 * Where a guest frame lies in host memory: a function of its number and the seed, never of fault order.
 *
 * So every scheme sees the same frames, and two runs with one seed are comparable reference by reference.
 *
 * Model: without nodes in a preset, all memory is equally far away. Bias: for EPT, whose longer walks would wait longer
 * for tables on another node.
 */
import type { Gfn, Pfn } from "./address.ts";

/** Host frame behind guest frame `gfn`; a bijection on [0, frames). */
export type Placement = (gfn: Gfn) => Pfn;

/**
 * A seeded scatter of blocks of `blockFrames` (1 for 4 KiB backing, 512 for 2 MiB, 512^2 for 1 GiB) over `frames` frames.
 * `frames` must be a power of two and a multiple of the block.
 */
export function scatter(frames: number, blockFrames: number, seed: number): Placement {
  const blocks = frames / blockFrames;
  const mask = blocks - 1;
  // An odd factor permutes the blocks (it is invertible modulo a power of two); the seed shifts them.
  const shift = Math.imul(seed + 1, 0x85eb_ca6b) & mask;
  return (gfn) => {
    const block = Math.floor(gfn / blockFrames);
    const placed = (Math.imul(block, 0x9e37_79b1) + shift) & mask;
    return (placed * blockFrames + (gfn % blockFrames)) as Pfn;
  };
}

/**
 * A scatter on each of `nodes` nodes for itself: guest frames of the host's node lie there, so that a guest that is told of
 * nodes is told the truth. As many frames as `nodes` times a whole number of blocks.
 */
export function scatterOnNodes(
  { frames, nodes }: { readonly frames: number; readonly nodes: number },
  blockFrames: number,
  seed: number,
): Placement {
  const part = frames / nodes;
  const within = scatter(part, blockFrames, seed);
  return (gfn) => {
    const first = gfn - (gfn % part);
    return (first + within((gfn - first) as Gfn)) as Pfn;
  };
}

/** Bare metal: GPA is HPA. */
export const identity: Placement = (gfn) => gfn as number as Pfn;

/** Host frames in guest order, starting at `first`: for worked examples that people follow by hand. */
export function linear(first: Pfn): Placement {
  return (gfn) => (gfn + first) as Pfn;
}
