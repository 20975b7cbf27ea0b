/**
 * Migrations for a terminal: one line per point, and the rounds of a single one.
 */
import { exitCauses, type MigrationResult } from "../bench/results/result.ts";
import { short } from "./format.ts";
import { migrationLabel, pointName } from "./migration-names.ts";
import { type GridColumn, gridLines, wrapWords } from "./text-grid.ts";

const verdicts = {
  converged: "converged",
  forced: "did not converge",
  moved: "moved",
} as const;

const explanation =
  "Sent and re-sent in MiB of pages; slowdown: the running guest's time during the migration over the same " +
  "work without one (x own) and on bare metal (x native); log: million cycles of the host's thread in the " +
  "dirty log. Every frame's version and bytes were compared at the end: no write was lost.";

/** Everything about these migrations that fits `columns` characters. */
export function migrationText(results: readonly MigrationResult[], columns: number): string {
  const [first] = results;
  if (first === undefined) return "No migration finished.";
  return [
    ...wrapWords(explanation, columns),
    "",
    ...gridLines(outcomeColumns(results), false),
    ...(results.length > 1
      ? []
      : ["", ...gridLines(roundColumns(first), false), "", exitLine(first)]),
  ].join("\n");
}

function column(
  header: readonly string[],
  texts: readonly string[],
  align: "left" | "right" = "right",
): GridColumn {
  return { align, header, cells: texts.map((text) => [{ text, style: "plain" }]) };
}

function outcomeColumns(results: readonly MigrationResult[]): GridColumn[] {
  const of = (header: readonly string[], text: (result: MigrationResult) => string) =>
    column(header, results.map(text));
  const isPulling = results.some(({ outcome }) => outcome.pagesPulled > 0);
  return [
    column(
      ["engine"],
      results.map(({ key }) => key.engine),
      "left",
    ),
    column(
      ["workload"],
      results.map(({ key }) => pointName(key, results)),
      "left",
    ),
    column(
      ["link and rule"],
      results.map(({ key }) => migrationLabel(key.migration)),
      "left",
    ),
    column(["outcome"], results.map(verdictText), "left"),
    of(["rounds"], ({ outcome }) => String(outcome.rounds)),
    of(["sent"], ({ outcome }) => mebibytes(outcome.pagesSent - outcome.zeroPages)),
    of(["re-sent"], ({ outcome }) => mebibytes(outcome.pagesResent)),
    of(["downtime", "ms"], ({ outcome }) => short(outcome.downtimeMs)),
    of(["total", "ms"], ({ outcome }) => short(outcome.totalMs)),
    ...(isPulling
      ? [
          of(["pages", "pulled"], ({ outcome }) => String(outcome.pagesPulled)),
          of(["wait", "ms"], ({ outcome }) => short(outcome.pullWaitMs)),
        ]
      : []),
    of(["slowdown", "x own"], ({ outcome }) => short(outcome.guestSlowdown)),
    of(["slowdown", "x native"], ({ outcome }) => short(outcome.nativeSlowdown)),
    of(["exits"], ({ exits }) => String(sumOf(Object.values(exits)))),
    of(["log", "Mcycles"], ({ outcome }) => short(outcome.trackerCycles / 1e6)),
  ];
}

function roundColumns({ rounds }: MigrationResult): GridColumn[] {
  const of = (
    header: readonly string[],
    text: (round: MigrationResult["rounds"][number]) => string,
  ) => column(header, rounds.map(text));
  return [
    of(["round"], ({ round }) => String(round)),
    column(
      ["phase"],
      rounds.map(({ phase }) => phase),
      "left",
    ),
    of(["ms"], ({ startMs, endMs }) => short(endMs - startMs)),
    of(["pages", "sent"], ({ pagesSent }) => String(pagesSent)),
    of(["of them", "again"], ({ pagesResent }) => String(pagesResent)),
    of(["of them", "zeros"], ({ zeroPages }) => String(zeroPages)),
    of(["pages", "dirtied"], ({ pagesDirtied }) => String(pagesDirtied)),
    of(["pages", "left"], ({ pagesLeft }) => String(pagesLeft)),
    of(["MiB", "allowed"], ({ allowedBytes }) => short(allowedBytes / 2 ** 20)),
    of(["throttle", "%"], ({ throttlePercent }) => String(throttlePercent)),
    of(["log", "Mcycles"], ({ trackerCycles }) => short(trackerCycles / 1e6)),
  ];
}

function exitLine({ exits }: MigrationResult): string {
  const taken = exitCauses
    .map((cause) => [cause, exits[`exits${cause}`]] as const)
    .filter(([, count]) => count > 0)
    .map(([cause, count]) => `${cause} ${count}`);
  return `VM exits meanwhile: ${taken.length === 0 ? "none" : taken.join(", ")}`;
}

/** A program that ends while everything is sent for the first time says nothing of convergence. */
function verdictText({ outcome: { verdict, rounds } }: MigrationResult): string {
  return verdict === "forced" && rounds < 2 ? "program too short" : verdicts[verdict];
}

function mebibytes(pages: number): string {
  return short(pages / 256);
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
