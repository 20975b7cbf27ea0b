/**
 * What goes on between the levels of a guest's guest, as text: a line for each time that L2 leaves, with what L1 executes
 * that exits until L2 runs on.
 */
import type { CascadeStep } from "../../engines/nested/cascade.ts";
import type { ExitReason } from "../../machine/exits.ts";

const reasons = {
  "page-fault": "#PF",
  "ept-violation": "violation",
  "ept-misconfiguration": "misconfiguration",
  "pml-full": "log full",
  "cr3-write": "CR3 write",
  "cr3-read": "CR3 read",
  invlpg: "INVLPG",
  invpcid: "INVPCID",
  "cr0-write": "CR0 write",
  "cr4-write": "CR4 write",
  cpuid: "CPUID",
  iret: "IRET",
  other: "other",
} as const satisfies Record<ExitReason, string>;

type Exit = Extract<CascadeStep, { kind: "exit" }>;

/** L2's exit and what it sets off. */
interface Cascade {
  readonly first: Exit;
  readonly set: Exit[];
}

function wordOf(cause: Exit["cause"]): string {
  return Object.hasOwn(reasons, cause) ? reasons[cause as ExitReason] : cause.toUpperCase();
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
  const l1 = set.map((exit) => wordOf(exit.cause)).join(" ");
  return `${wordOf(cause).padEnd(10)}  ${way.padEnd(5)}  ${`${toL0}`.padStart(5)}  ${l1}`.trimEnd();
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
