/**
 * The machine of a point, as its key and its runner's options decide it, and the oracle that watches it.
 */
import { findEngine } from "../../engines/index.ts";
import type { Engine } from "../../hypervisor/engine.ts";
import type { Hypervisor } from "../../hypervisor/hypervisor.ts";
import type { Machine, MachineOptions, MmuFactory } from "../../machine/machine.ts";
import type { Preset } from "../../machine/presets.ts";
import { attachOracle, type Oracle } from "../../check/oracle/oracle.ts";
import type { PointKey, PointResult } from "../results/result.ts";

export interface RunOptions {
  /** The machine that the key's preset names. */
  readonly preset: Preset;
  readonly mmu: MmuFactory;
  /** As in `MachineOptions`. */
  readonly memory?: MachineOptions["memory"];
  /** Watch every access with the oracle; the first illegal one throws. */
  readonly check: boolean;
  /** Schemes beside the registry's, for experiments. */
  readonly engineVariants?: Readonly<Record<string, Engine>>;
}

/** A point's result, and how many accesses the oracle saw (0 without it). */
export interface CheckedResult {
  readonly result: PointResult;
  readonly checked: number;
}

/** The machine options that a key decides. */
export function machineOf(key: PointKey, { preset, mmu, memory }: RunOptions) {
  const { seed, backing, nestedLevels } = key;
  const hardware = { preset, mmu, ...(memory === undefined ? {} : { memory }) };
  return { ...hardware, vcpus: 1, seed, backing, nestedLevels, placement: "scatter" as const };
}

/** A point's hypervisor, and the oracle that watches it, if any does. */
export interface Checked {
  readonly oracle: Oracle | null;
  readonly hypervisor: Hypervisor;
}

/** Attaches the oracle, which must see the boot as well, if accesses are to be checked. */
export function watch(
  machine: Machine,
  made: Hypervisor,
  { engine, check }: WatchOptions,
): Checked {
  if (!check) return { oracle: null, hypervisor: made };
  const found = findEngine(engine);
  const native = found !== undefined && "family" in found && found.family === "bare";
  const oracle = attachOracle(machine, { native, engine, isa: made.isa });
  return { oracle, hypervisor: oracle.watch(made) };
}

interface WatchOptions extends Pick<RunOptions, "check"> {
  readonly engine: string;
}
