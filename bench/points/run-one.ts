/**
 * One point by itself, for a person: a workload or a trace, its sections counted and priced.
 */
import { presets } from "../../machine/presets.ts";
import { engineNamed } from "./catalogue.ts";
import { pick } from "../input/config-error.ts";
import { presetCosts } from "../costs/cost-file.ts";
import { price, totalCycles } from "../costs/cost.ts";
import { hardwareFor } from "../../machine/hardware.ts";
import type { ParamValues } from "./params.ts";
import type { Cycles, PointKey } from "../results/result.ts";
import { runPoint } from "./run-point.ts";
import { runTrace, type Section, sectionsOf } from "./run-trace.ts";
import { type AskedHost, type Host, hostOf } from "./trace-host.ts";

export type Program =
  { readonly workload: string; readonly params: ParamValues } | { readonly trace: string };

/** What is asked for; what is left open, a trace decides, or the usual holds. */
export interface RunRequest extends Pick<PointKey, "engine" | "preset">, AskedHost {
  readonly program: Program;
  readonly check: boolean;
  /** Of a vmmu trace: has the host backed all memory before it begins? Programs have a parameter for it. */
  readonly populated?: boolean;
}

/** What ran. */
export interface OneRun extends Pick<PointKey, "engine" | "preset">, Host {
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
  /** Guest cycles per `computeOps`. */
  readonly computeCyclesPerOp: number;
  readonly checksum: number;
  /** Accesses that the oracle saw. */
  readonly checked: number;
  readonly label: string;
}

/** Throws a `ConfigError` for names that do not exist, and for what a trace contradicts. */
export async function runOne(request: RunRequest): Promise<OneOutcome> {
  const { program } = request;
  if (!("trace" in program)) return runWorkload({ ...request, program });
  return priced(request, await runTrace(program.trace, request, optionsOf(request)));
}

/** The same of a workload, at once. */
export function runWorkload(request: RunRequest & { readonly program: NamedWorkload }): OneOutcome {
  return priced(request, ofWorkload(request.program, request, optionsOf(request)));
}

type NamedWorkload = Extract<Program, { readonly workload: string }>;

function optionsOf({ engine, check, ...request }: RunRequest): Parameters<typeof runPoint>[1] {
  const preset = pick(presets, request.preset, "preset");
  engineNamed(engine);
  return { preset, check, ...hardwareFor(preset) };
}

type Counted = Awaited<ReturnType<typeof runTrace>> | ReturnType<typeof ofWorkload>;

function priced(request: RunRequest, { host, ...counted }: Counted): OneOutcome {
  const { program, check, engine } = request;
  const cost = presetCosts()(request.preset);
  const { checksum, checked, label, computeCyclesPerOp } = counted;
  const sections = counted.sections.map((section) => {
    const cycles = price(section.ledger, computeCyclesPerOp, cost);
    return { ...section, cycles, cyclesTotal: totalCycles(cycles) };
  });
  const run = { program, engine, preset: request.preset, ...host, check };
  return { run, sections, cost: cost.name, computeCyclesPerOp, checksum, checked, label };
}

function ofWorkload(
  program: Extract<Program, { readonly workload: string }>,
  { engine, preset, ...asked }: RunRequest,
  options: Parameters<typeof runPoint>[1],
) {
  const host = hostOf(asked);
  const { result, checked } = runPoint({ id: 0, engine, preset, ...host, ...program }, options);
  return { ...result, host, checked, sections: sectionsOf(result) };
}
