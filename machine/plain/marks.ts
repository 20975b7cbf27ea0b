/** What A and D of a leaf permit, in the plain unit. */
import type { EntryFormat } from "../formats/format.ts";
import type { Stage } from "../stages.ts";
import type { Kind } from "./stop.ts";

/** Is nothing to be done about D before a store: has the leaf it, or does nobody care? */
export function needsNoMark({ format, marks, refusesUnmarked }: Stage, low: number): boolean {
  return (!marks && !refusesUnmarked) || (low & format.dirty) === format.dirty;
}

/** Does the leaf lack A, or D for a store? */
export function isUnmarked({ accessed, dirty }: EntryFormat, kind: Kind, low: number): boolean {
  const wanted = accessed | (kind === "write" ? dirty : 0);
  return (low & wanted) !== wanted;
}
