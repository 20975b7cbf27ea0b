/**
 * What a guest's memory holds, as one number: guests that did the same must agree in it.
 */
import { A, D } from "../../machine/entry.ts";
import type { HostFrames } from "./host-frames.ts";

/** FNV-1a's prime, a word at a time. */
const prime = 0x0100_0193;

/** The guest's memory wherever the host keeps it; A and D bits left out, for they tell of caches. */
export function digestMemory(frames: HostFrames): number {
  let digest = 0;
  for (let gfn = 0; gfn < frames.pfnOf.length; gfn++) {
    if (!frames.hasBytes(gfn)) continue;
    for (let index = 0; index < 512; index++) {
      const entry = frames.entry(gfn, index);
      const low = entry.low & ~(A | D);
      if ((low | entry.high) === 0) continue;
      digest = Math.imul(digest ^ (gfn * 512 + index), prime);
      digest = Math.imul(Math.imul(digest ^ low, prime) ^ entry.high, prime);
    }
  }
  return digest >>> 0;
}
