/**
 * The phases of a dirty-log run as CSV: one line each, every counter a column.
 */
import { stringify } from "csv-stringify/sync";
import { counterNames } from "../../bench/results/result.ts";
import type { DirtyLogPhase } from "./run-dirty-log.ts";

export function phasesCsv(phases: readonly DirtyLogPhase[]): string {
  const rows = phases.map(({ name, iteration, pagesReported, ledger, cyclesTotal }) => ({
    phase: name,
    iteration,
    pagesReported,
    cyclesTotal,
    ...Object.fromEntries(counterNames.map((counter) => [counter, ledger[counter]])),
  }));
  return stringify(rows, { header: true });
}
