/**
 * From finished points to files: what the manifest says of a run, and its host facts beside it.
 */
import { writeFile } from "node:fs/promises";
import { describeWorkloads, isRecorded } from "../points/catalogue.ts";
import { costPresets, fixedCost, presetCosts, presetPath } from "../costs/cost-file.ts";
import type { HostFacts } from "../host-time.ts";
import type { Finished } from "./pool.ts";
import type { CostChooser } from "../costs/price-rows.ts";
import { hashFile, type InputHash, replaceFiles, writeResults } from "../files/result-files.ts";
import type { PointKey, ResultRows } from "../results/result.ts";
import type { SweepFile } from "./sweep-files.ts";

export interface RunToWrite {
  readonly folder: string;
  readonly sweep: SweepFile;
  /** The points that were to run, after filters. */
  readonly points: readonly PointKey[];
  readonly finished: readonly Finished[];
  readonly check: boolean;
  /** A cost file for all machines; absent: each preset's own. */
  readonly cost: string | undefined;
  readonly host: HostFacts;
}

/** Writes tables, manifest and host facts; returns the rows for terminal table and charts. */
export async function writeRun(run: RunToWrite): Promise<ResultRows> {
  const { folder, sweep, points, finished, check, host } = run;
  const { machines } = sweep.sweep;
  const used = [...new Set(points.map(({ preset }) => preset))].toSorted();
  const rows = await writeResults({
    folder,
    results: finished.map(({ result }) => result),
    costFor: costsOf(run),
    manifest: {
      config: {
        sweep: sweep.sweep.declared,
        pointsDeclared: sweep.sweep.points.length,
        pointsWanted: points.length,
        // An interrupted run or a failed point leaves a gap, and nobody should take the rest for the whole.
        isComplete: finished.length === points.length,
        check,
        accessesChecked: finished.reduce((sum, { checked }) => sum + checked, 0),
        presets: Object.fromEntries(used.map((name) => [name, machines[name]?.preset])),
      },
      seeds: [...new Set(points.map(({ seed }) => seed))].toSorted((a, b) => a - b),
      inputs: await inputs(run),
    },
  });
  await replaceFiles(folder, {
    "host.json": (path) => writeFile(path, `${JSON.stringify(host, null, 2)}\n`),
  });
  return rows;
}

async function inputs(run: RunToWrite): Promise<InputHash[]> {
  const { sweep, points, cost } = run;
  const costFor = costsOf(run);
  const names = new Set(points.map(({ preset }) => costFor(preset).name));
  const shipped: readonly string[] = costPresets;
  const isFile = cost !== undefined && !shipped.includes(cost);
  return [
    await hashFile(`sweep ${sweep.name}`, sweep.path),
    ...(await Promise.all(
      [...names]
        .toSorted()
        .map((name) => hashFile(`cost ${name}`, isFile ? cost : presetPath(name))),
    )),
    ...(await recordings(points)),
  ];
}

/** The traces among the programs. */
async function recordings(points: readonly PointKey[]): Promise<InputHash[]> {
  const used = new Set(points.map(({ workload }) => workload));
  const traces = describeWorkloads().flatMap(([name, workload]) =>
    used.has(name) && isRecorded(workload) ? [hashFile(name, workload.file)] : [],
  );
  return Promise.all(traces);
}

/** A changed machine is priced as the preset that it was made from. */
function costsOf({ sweep, cost }: RunToWrite): CostChooser {
  const { machines } = sweep.sweep;
  const costFor = cost === undefined ? presetCosts() : fixedCost(cost);
  return (preset) => costFor(machines[preset]?.like ?? preset);
}
