/** Charts of one program under several engines, as a sweep draws them: the measured part is a case, or each phase is. */
import { presetCosts } from "../bench/costs/cost-file.ts";
import { resultRows } from "../bench/costs/price-rows.ts";
import type { OneOutcome } from "../bench/points/run-one.ts";
import type { PointResult } from "../bench/results/result.ts";
import { renderCharts } from "../report/render.ts";

/** Draws into the folder `charts` below `folder`, replacing an earlier run's; returns the names of the files. */
export function drawOutcomes(folder: string, outcomes: readonly OneOutcome[]): Promise<string[]> {
  const results = outcomes.flatMap(resultsOf).map((one, id) => withId(one, id));
  return renderCharts({ folder, rows: resultRows(results, presetCosts()) });
}

function withId(result: PointResult, id: number): PointResult {
  return { ...result, key: { ...result.key, id } };
}

function resultsOf({ run, sections, ...rest }: OneOutcome): PointResult[] {
  const { program, engine, preset, backing, guestLevels, nestedLevels, seed } = run;
  const host = { engine, preset, backing, guestLevels, nestedLevels, seed };
  const isTrace = "trace" in program;
  const params = isTrace ? {} : program.params;
  return sections
    .filter(({ name }) => isTrace || name === "measured")
    .map((section) => ({
      ...rest,
      key: { id: 0, ...host, workload: isTrace ? section.name : program.workload, params },
      // A picture shows what was measured; a phase has nothing before it.
      regions: { setup: section, measured: section },
    }));
}
