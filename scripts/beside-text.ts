/**
 * Several runs of one program side by side: a column per engine, and how much slower each is than bare metal.
 *
 * A workload's set-up is left out: what is compared is what was measured.
 */
import type { OneOutcome } from "../bench/points/run-one.ts";
import { counterNames, cycleCategories } from "../bench/results/result.ts";
import { short } from "../report/format.ts";
import { isCounted, type Line, programText, table } from "./point-text.ts";

/** The outcomes are of one program on one machine, the baseline, an engine, among them. */
export function besideText(outcomes: readonly OneOutcome[], baseline: string): string {
  const [first] = outcomes;
  if (first === undefined) return "";
  const engines = outcomes.map(({ run }) => run.engine);
  const names = first.sections.map(({ name }) => name).filter((name) => name !== "setup");
  return [
    `${programText(first)}, priced by ${first.cost}`,
    ...(first.label === "" ? [] : [first.label]),
    ...names.flatMap((name) => {
      const sections = outcomes.map((one) => one.sections.find((each) => each.name === name));
      const counts = counterNames.map((counter): Line => [
        counter,
        ...sections.map((one) => one?.ledger[counter] ?? 0),
      ]);
      const cycles = cycleCategories.map((category): Line => [
        category,
        ...sections.map((one) => one?.cycles[category] ?? 0),
      ]);
      const total: Line = ["total", ...sections.map((one) => one?.cyclesTotal ?? 0)];
      return [
        "",
        ...table([`${name}: count`, ...engines], counts.filter(isCounted)),
        "",
        ...table([`${name}: cycles`, ...engines], [...cycles.filter(isCounted), total]),
        "",
        verdict(outcomes, baseline, name),
      ];
    }),
  ].join("\n");
}

/** `shadow 4.31x native, ept 1.01x native`. */
function verdict(outcomes: readonly OneOutcome[], baseline: string, section: string): string {
  const cyclesOf = (one: OneOutcome | undefined) =>
    one?.sections.find(({ name }) => name === section)?.cyclesTotal ?? 0;
  const native = cyclesOf(outcomes.find(({ run }) => run.engine === baseline));
  return outcomes
    .filter(({ run }) => run.engine !== baseline)
    .map((one) => {
      const ratio = native === 0 ? "-" : `${short(cyclesOf(one) / native)}x`;
      return `${one.run.engine} ${ratio} ${baseline}`;
    })
    .join(", ");
}
