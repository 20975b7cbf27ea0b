/**
 * What goes on between the levels of a guest's guest, as text: a line for each time that L2 leaves, with what L1 executes
 * that exits until L2 runs on.
 */
import { type CascadeExit, type CascadeStep, causeWord } from "../../engines/nested/cascade.ts";

/** L2's exit and what it sets off. */
interface Cascade {
  readonly first: CascadeExit;
  readonly set: CascadeExit[];
}

function cascadesOf(steps: readonly CascadeStep[]): Cascade[] {
  const cascades: Cascade[] = [];
  for (const step of steps) {
    if (step.kind === "entry") continue;
    if (step.from === "L2") cascades.push({ first: step, set: [] });
    else cascades.at(-1)?.set.push(step);
  }
  return cascades;
}

function lineOf({ first, set }: Cascade): string {
  const { cause, takenBy, answeredBy } = first;
  const way = takenBy === answeredBy ? takenBy : `${takenBy} ${answeredBy}`;
  const toL0 = exitsOfL0([first, ...set]);
  const l1 = set.map((exit) => causeWord(exit.cause)).join(" ");
  return `${causeWord(cause).padEnd(10)}  ${way.padEnd(5)}  ${`${toL0}`.padStart(5)}  ${l1}`.trimEnd();
}

function exitsOfL0(steps: readonly CascadeStep[]): number {
  return steps.filter((step) => step.kind === "exit" && step.takenBy === "L0").length;
}

export function cascadeText(steps: readonly CascadeStep[]): string {
  const lines = cascadesOf(steps).map(
    (cascade, i) => `${`${i + 1}`.padStart(3)}  ${lineOf(cascade)}`,
  );
  return [
    "     L2's exit   to     exits of L0; L1's among them",
    ...lines,
    `${exitsOfL0(steps)} exits of L0`,
  ].join("\n");
}
