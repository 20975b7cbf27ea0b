import type { Pfn } from "../address.ts";
import { slotShift } from "../memory.ts";
import { memory, next, slotOf, words } from "./given.ts";
import { FRAMES, s } from "./state.ts";
import { outside } from "./stops.ts";

/** Where the table in `pfn` starts, or -1. One that nobody wrote gets bytes (zeros), so that it has an address. */
export function tableAt(pfn: number): number {
  if (pfn >>> 0 >= s[FRAMES]!) {
    outside(pfn);
    return -1;
  }
  const slot = slotOf[pfn]!;
  return (slot === 0 ? memory.slot(pfn as Pfn) : slot) << slotShift;
}

/** Remembers where the table starts that entry `i`, with its frame above `shift` bits, points to; -1 as above. */
export function link(i: number, shift: number): number {
  const table = tableAt((words[i]! >>> shift) | (words[i + 1]! << (32 - shift))) | 0;
  if (table !== -1) next[i >>> 1] = table;
  return table;
}

/**
 * Where part `part` starts of the table of 2^`parts` frames that entry `i` points to, the first of them `first`; remembered if
 * they lie one after another. -1 as above.
 */
export function linkParts(i: number, first: number, parts: number, part: number): number {
  const aligned = first & ~((1 << parts) - 1);
  const run = memory.runOf((aligned >>> 0) as Pfn, 1 << parts) | 0;
  if (run === 0) return tableAt(aligned | part) | 0;
  next[i >>> 1] = run;
  return (run + (part << slotShift)) | 0;
}

/** The frame of a table of 2^`parts` frames, the first of them `first`, that has the entry for a page. */
export function partOf(first: number, before: number, parts: number): number {
  const mask = (1 << parts) - 1;
  return (first & ~mask) | (before & mask);
}
