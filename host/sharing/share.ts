/**
 * Scenarios under engines, each against the same guests without it: the rows of `shadewalk share`.
 */
import { engines } from "../../engines/index.ts";
import { presets } from "../../machine/presets.ts";
import type { Workload } from "../../workloads/workload.ts";
import { workloads } from "../../workloads/index.ts";
import { ConfigError, pick } from "../../bench/input/config-error.ts";
import { presetCosts } from "../../bench/costs/cost-file.ts";
import { price, totalCycles } from "../../bench/costs/cost.ts";
import { ownMmu } from "../../machine/fast.ts";
import type { ParamValues } from "../../bench/points/params.ts";
import {
  baselineEngine,
  type CounterName,
  exitCounters,
  type PointKey,
} from "../../bench/results/result.ts";
import { scenarios } from "./index.ts";
import { runSharing, type SharingCounts, type SharingRun } from "./run-sharing.ts";
import type { Scenario, ScenarioSettings } from "./scenario.ts";

export type ScenarioName = keyof typeof scenarios;
export const scenarioNames = Object.keys(scenarios) as ScenarioName[];

/** Options of `share` that none of the scenarios looks at. */
export function unusedSettings(chosen: readonly ScenarioName[]): ("every" | "limit")[] {
  const used = new Set(chosen.flatMap((name) => [...scenarios[name].uses]));
  return [
    ...(used.has("every") ? [] : ["every" as const]),
    ...(used.has("limitPercent") ? [] : ["limit" as const]),
  ];
}

export interface ShareOptions extends Pick<PointKey, "backing" | "guestLevels" | "nestedLevels"> {
  readonly scenarios: readonly ScenarioName[];
  readonly engines: readonly string[];
  readonly workload: string;
  readonly params: ParamValues;
  readonly preset: string;
  readonly seed: number;
  /** Guests; absent: as the scenario has it. */
  readonly guests: number | undefined;
  readonly settings: ScenarioSettings;
  readonly check: boolean;
}

/** Counts that a row shows, with the scenario. */
const shownCounters = [
  "exits",
  ...exitCounters,
  "sharesBroken",
  "sharesReused",
  "framesMerged",
  "neighboursUnmapped",
  "hostFaults",
  "hostMajorFaults",
  "hostSwapOuts",
] as const satisfies readonly CounterName[];

export interface ShareRow extends Readonly<Record<(typeof shownCounters)[number], number>> {
  readonly scenario: ScenarioName;
  readonly engine: string;
  readonly guests: number;
  /** Exits of the same guests without the scenario. */
  readonly exitsAlone: number;
  readonly framesSavedPeak: number;
  readonly framesSavedEnd: number;
  readonly cyclesAlone: number;
  readonly cycles: number;
  /** `cycles` over `cyclesAlone`. */
  readonly slowdown: number;
  /** Accesses that the oracle saw, both runs. */
  readonly checked: number;
}

/** Throws a `ConfigError` for names that do not exist and engines that have no host. */
export async function share(options: ShareOptions): Promise<ShareRow[]> {
  const preset = pick(presets, options.preset, "preset");
  const workload: Workload = pick(workloads, options.workload, "workload");
  const cost = presetCosts()(options.preset);
  const mmu = ownMmu;
  const cyclesOf = ({ ledger }: SharingCounts) =>
    totalCycles(price(ledger, workload.computeCycles.perOp, cost));
  const rows: ShareRow[] = [];
  for (const name of options.scenarios) {
    const scenario: Scenario = scenarios[name];
    for (const engine of options.engines) {
      const { workload: program, params, backing, guestLevels, nestedLevels, seed } = options;
      const host = { preset: options.preset, backing, guestLevels, nestedLevels, seed };
      const run: SharingRun = {
        key: { id: 0, engine, workload: program, params, ...host },
        factory: factoryOf(engine),
        workload,
        params,
        kernel: scenario.kernel,
        guests: options.guests ?? scenario.guests,
        settings: options.settings,
        options: { preset, mmu, check: options.check },
      };
      const alone = runSharing(run, null);
      const shared = runSharing(run, scenario);
      const [cyclesAlone, cycles] = [cyclesOf(alone), cyclesOf(shared)];
      const counts = shownCounters.map((counter) => [counter, shared.ledger[counter]] as const);
      rows.push({
        scenario: name,
        engine,
        guests: run.guests,
        ...(Object.fromEntries(counts) as Record<(typeof shownCounters)[number], number>),
        exitsAlone: alone.ledger.exits,
        framesSavedPeak: shared.savedPeak,
        framesSavedEnd: shared.savedAtEnd,
        cyclesAlone,
        cycles,
        slowdown: Number((cycles / cyclesAlone).toPrecision(6)),
        checked: alone.checked + shared.checked,
      });
    }
  }
  return rows;
}

function factoryOf(engine: string): SharingRun["factory"] {
  if (engine === baselineEngine) {
    const allowed = Object.keys(engines).filter((name) => name !== baselineEngine);
    throw new ConfigError(
      `engine ${baselineEngine}: bare metal has no host that could share memory, allowed: ${allowed.join(", ")}`,
    );
  }
  return pick(engines, engine, "engine").create;
}
