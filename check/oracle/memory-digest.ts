/**
 * What a guest's memory holds, as one number: guests that did the same must agree in it.
 */
import type { Pfn } from "../../machine/address.ts";
import { withoutMarks } from "../../machine/formats/x86-entry.ts";
import { type PhysicalMemory, slotShift } from "../../machine/memory.ts";
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
      const low = withoutMarks(entry.low);
      if ((low | entry.high) === 0) continue;
      digest = Math.imul(digest ^ (gfn * 512 + index), prime);
      digest = Math.imul(Math.imul(digest ^ low, prime) ^ entry.high, prime);
    }
  }
  return digest >>> 0;
}

/** What one frame holds, every bit of it. */
export function digestFrame({ words, slotOf }: PhysicalMemory, pfn: Pfn): number {
  const first = slotOf[pfn]! << slotShift;
  let digest = 0;
  if (first === 0) return digest;
  for (let word = first; word < first + (1 << slotShift); word++) {
    // A word of zeros counts as none, so that a frame never written and one of zeros are the same.
    if (words[word] !== 0) digest = Math.imul(digest ^ words[word]!, prime) ^ (word - first);
  }
  return digest;
}
