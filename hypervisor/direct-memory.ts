/** Guest memory with nothing behind it: GPA is HPA. What bare metal has, and what tests start from. */
import type { Gfn, Pfn } from "../machine/address.ts";
import type { GuestMemory } from "./hypervisor.ts";
import type { FrameMemory } from "./platform.ts";

/** The first `frames` of `memory`, each at its own number. */
export function directMemory(
  memory: Pick<FrameMemory, "readLow" | "readHigh" | "write">,
  frames: number,
): GuestMemory {
  const pfnOf = (gfn: Gfn): Pfn => gfn as number as Pfn;
  return {
    frames,
    onReturn: null,
    isHole: () => false,
    touch: pfnOf,
    touchForWrite: pfnOf,
    readLow: (gfn, index) => memory.readLow(pfnOf(gfn), index),
    readHigh: (gfn, index) => memory.readHigh(pfnOf(gfn), index),
    write: (gfn, index, low, high) => memory.write(pfnOf(gfn), index, low, high),
  };
}
