/**
 * What can be named: engines, workloads with their parameters, presets. Derived from the registries.
 */
import type { Engine } from "../../hypervisor/engine.ts";
import { engines, everyEngine, findEngine } from "../../engines/index.ts";
import { type Preset, presets } from "../../machine/presets.ts";
import { workloads } from "../../workloads/index.ts";
import type { RecordedWorkload } from "../../workloads/trace/lackey-workload.ts";
import type { SystemWorkload } from "../../workloads/trace/system-workload.ts";
import type { Workload } from "../../workloads/workload.ts";
import { ConfigError, quote, unknownText } from "../input/config-error.ts";
import { baselineEngine } from "../results/result.ts";
import type { Catalogue } from "./sweep-schema.ts";

export const catalogue = {
  engines,
  presets,
  workloads,
  engineProblem,
  nodesProblem,
} satisfies Catalogue;

/** An engine's name, and what it is in a line. */
export function describeEngines(): readonly (readonly [name: string, title: string])[] {
  return Object.entries(everyEngine).map(([name, { title }]) => [name, title]);
}

/** The engine of that name, `A@B` for A in a guest of B's. Throws a `ConfigError` where there is none. */
export function engineNamed(name: string): Engine {
  const problem = engineProblem(name);
  const found = findEngine(name);
  if (problem !== undefined || found === undefined || "problem" in found) {
    throw new ConfigError(`engine ${quote(name)}: ${problem}`);
  }
  return found;
}

/** Bare metal: x86-64's if one of the engines has guests of that, or the first one's. */
export function baselineOf(names: readonly string[]): string {
  const isas = names.map((name) => engineNamed(name).isa);
  if (isas.includes(undefined)) return baselineEngine;
  const bare = Object.entries(everyEngine).find(
    ([, { family, isa }]) => family === "bare" && isa === isas[0],
  );
  return bare?.[0] ?? baselineEngine;
}

/** What is wrong with the name; undefined when nothing is. */
export function engineProblem(name: string): string | undefined {
  const found = findEngine(name);
  if (found === undefined) return unknownText(name, Object.keys(everyEngine));
  return "problem" in found ? found.problem : undefined;
}

/** What keeps the engine from running on the machine's nodes; undefined when nothing does. */
export function nodesProblem(name: string, { nodes }: Preset): string | undefined {
  const policy = nodes?.hypervisorTables ?? "local";
  if (policy === "local" || policy === "remote") return undefined;
  const engine = findEngine(name);
  if (engine === undefined || "problem" in engine) return undefined;
  if (engine.family === "bare" || engine.placesTables === true) return undefined;
  return `${name} leaves its tables where they were made: hypervisorTables must be local or remote`;
}

/** What silicon walks under each engine. */
export function engineFamilies(): Readonly<Record<string, Engine["family"]>> {
  return Object.fromEntries(
    Object.entries(everyEngine).map(([name, { family }]) => [name, family]),
  );
}

/** A workload as far as people ask for it. */
export function describeWorkloads(): readonly (readonly [name: string, workload: Workload])[] {
  return Object.entries<Workload>(workloads);
}

export { engineNames } from "../../engines/index.ts";
export { nestingVariants } from "../../engines/nested/nested-engines.ts";

/** Is it a recording, whose file is an input of the run? */
export function isRecorded(workload: Workload): workload is Workload & Recorded {
  return "file" in workload;
}

type Recorded = Pick<RecordedWorkload, "file" | "share">;

/** Is it a recorded system, with a kernel of its own? */
export function isSystem(workload: Workload): workload is Workload & SystemWorkload {
  return "system" in workload;
}
