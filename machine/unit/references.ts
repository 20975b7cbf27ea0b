import type { Pfn } from "../address.ts";
import { slotShift } from "../memory.ts";
import type { WalkReference } from "../mmu.ts";
import { dataCache, pfnOfSlot, room, words } from "./given.ts";
import { C_GUEST_LINES, C_LINES, C_NESTED_LINES, c } from "./counts.ts";
import { firstLevel, secondLevel } from "./levels.ts";
import { REFS, s } from "./state.ts";

const referencesMax = 256;

// Every reference of the last walk: the arena word, and dimension << 6 | bits below the entry's index.
export const refWord = room.int32(referencesMax);
export const refWhat = room.uint8(referencesMax);

/** The references of the walk go through the data caches. Off the hot path: most presets have none. */
export function readLines(refs: number): void {
  for (let n = 0; n < refs; n++) {
    const word = refWord[n]!;
    const line = (pfnOfSlot[word >>> slotShift]! << 6) | ((word >>> 4) & 63);
    const place = dataCache!.reference(line);
    c[C_LINES + place] = c[C_LINES + place]! + 1;
    const own = (refWhat[n]! >= 64 ? C_NESTED_LINES : C_GUEST_LINES) + place;
    c[own] = c[own]! + 1;
  }
}

/** The references of the last walk, in order. */
export function lastWalk(): readonly WalkReference[] {
  const references: WalkReference[] = [];
  for (let n = 0; n < s[REFS]!; n++) {
    const word = refWord[n]!;
    const what = refWhat[n]!;
    const isNested = what >= 64;
    references.push({
      dimension: isNested ? "nested" : "guest",
      level: isNested ? secondLevel(what & 63) : firstLevel(what),
      pfn: pfnOfSlot[word >>> slotShift]! as Pfn,
      index: (word >>> 1) & 511,
      low: words[word]!,
      high: words[word + 1]!,
    });
  }
  return references;
}
