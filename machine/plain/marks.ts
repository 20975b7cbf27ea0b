/** What A, D and G of a leaf permit, in the plain unit. */
import type { EntryFormat } from "../formats/format.ts";
import type { Stage } from "../stages.ts";
import type { Kind } from "./stop.ts";

/** Is nothing to be done about D before a store: has the leaf it, or does nobody care? */
export function needsNoMark({ format, marks, refusesUnmarked }: Stage, low: number): boolean {
  const { dirty, flipped } = format;
  return (!marks && !refusesUnmarked) || ((low ^ flipped) & dirty) === dirty;
}

export function isGlobal({ global, flipped }: EntryFormat, low: number): boolean {
  return ((low ^ flipped) & global) !== 0;
}

/** Does the leaf lack A, or D for a store? */
export function isUnmarked(format: EntryFormat, kind: Kind, low: number): boolean {
  const { accessed, dirty, flipped } = format;
  const wanted = accessed | (kind === "write" ? dirty : 0);
  return ((low ^ flipped) & wanted) !== wanted;
}

/** Does the stage with this place in the list keep D? Then a walk of tables that lie there counts as writing. */
export function notesWrites(stages: readonly Stage[], through: number | null): boolean {
  const stage = through === null ? undefined : stages[through];
  return stage?.marks === true && stage.format.dirty !== 0;
}
