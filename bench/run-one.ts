/**
 * One point by itself, for a person: a workload or a trace, its sections counted and priced.
 */
import { presets } from "../machine/presets.ts";
import { catalogue } from "./catalogue.ts";
import { pick } from "./config-error.ts";
import { presetCosts } from "./cost-file.ts";
import { price, totalCycles } from "./cost.ts";
import { hardwareFor } from "./hardware.ts";
import type { ParamValues } from "./params.ts";
import type { Cycles, PointKey } from "./result.ts";
import { runPoint } from "./run-point.ts";
import { runTrace, type Section, sectionsOf } from "./run-trace.ts";

export type Program =
  { readonly workload: string; readonly params: ParamValues } | { readonly trace: string };

export interface OneRun extends Omit<PointKey, "id" | "workload" | "params"> {
  readonly program: Program;
  readonly check: boolean;
}

export interface PricedSection extends Section {
  readonly cycles: Cycles;
  readonly cyclesTotal: number;
}

export interface OneOutcome {
  readonly run: OneRun;
  readonly sections: readonly PricedSection[];
  /** Name of the cost file. */
  readonly cost: string;
  readonly checksum: number;
  /** Accesses that the oracle saw. */
  readonly checked: number;
  readonly label: string;
}

/** Throws a `ConfigError` for names that do not exist. */
export async function runOne(run: OneRun): Promise<OneOutcome> {
  const { program, check, ...host } = run;
  const preset = pick(presets, run.preset, "preset");
  pick(catalogue.engines, run.engine, "engine");
  const named = "trace" in program ? { workload: "trace", params: {} } : program;
  const key: PointKey = { id: 0, ...host, ...named };
  const options = { preset, check, ...(await hardwareFor(preset)) };
  const counted = await ("trace" in program
    ? runTrace(program.trace, key, options)
    : ofWorkload(key, options));
  const cost = presetCosts()(run.preset);
  const { checksum, checked, label, computeCyclesPerOp } = counted;
  const sections = counted.sections.map((section) => {
    const cycles = price(section.ledger, computeCyclesPerOp, cost);
    return { ...section, cycles, cyclesTotal: totalCycles(cycles) };
  });
  return { run, sections, cost: cost.name, checksum, checked, label };
}

function ofWorkload(key: PointKey, options: Parameters<typeof runPoint>[1]) {
  const { result, checked } = runPoint(key, options);
  return { ...result, checked, sections: sectionsOf(result) };
}
