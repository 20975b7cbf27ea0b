/**
 * A read of a walk as a sentence: what it is to find, and which entry of which table says it.
 */
import type { ShownWalk, WalkStep } from "./walk.ts";

/** Intel's names, by level. */
export const entryNames: Readonly<Record<number, string>> = {
  5: "PML5E",
  4: "PML4E",
  3: "PDPTE",
  2: "PDE",
  1: "PTE",
};

/** `To find the guest's PDPTE at GPA 0x208000: EPT level 3, index 0.` */
export function stepSentence(walk: ShownWalk, engine: string, step: WalkStep): string {
  const { level, index, row, gpa, dimension } = step;
  const name = entryNames[level] ?? "";
  if (dimension === "nested") {
    const wanted = row === 0 ? "the page" : `the guest’s ${entryNames[row] ?? ""}`;
    return `To find ${wanted} at GPA ${gpa}: nested level ${level}, index ${index}.`;
  }
  const wanted = isLast(walk, step) ? "the page" : `the table of level ${level - 1}`;
  if (walk.isNested)
    return `The guest’s own ${name}, index ${index}: where ${wanted} lies, as a GPA.`;
  const whose = engine === "native" ? "The" : "The shadow’s";
  return `${whose} ${name}, index ${index}: where ${wanted} lies, as an HPA.`;
}

function isLast({ steps }: ShownWalk, step: WalkStep): boolean {
  return steps.findLast(({ dimension }) => dimension === "guest") === step;
}
