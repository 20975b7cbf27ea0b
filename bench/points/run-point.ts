/**
 * Runs one point: a machine, a hypervisor on it, a guest in that, a program in the guest.
 *
 * Everything follows from the key, so a point gives the same counts on any worker and any machine. The
 * program says where its set-up ends; the measured region is the difference of two snapshots.
 */
import type { Engine } from "../../hypervisor/engine.ts";
import type { Guest } from "../../guest/guest.ts";
import { bootKernel } from "../../guest/kernel.ts";
import { kernelDefaults, type KernelOptions } from "../../guest/options.ts";
import { Prng } from "../../guest/prng.ts";
import { assert } from "../../machine/assert.ts";
import type { Hypervisor } from "../../hypervisor/hypervisor.ts";
import { Machine, type MachineOptions, type MmuFactory } from "../../machine/machine.ts";
import type { Preset } from "../../machine/presets.ts";
import type { Workload } from "../../workloads/workload.ts";
import { workloads } from "../../workloads/index.ts";
import { engineNamed } from "./catalogue.ts";
import { pick } from "../input/config-error.ts";
import { attachOracle, type Oracle } from "../../check/oracle/oracle.ts";
import { baselineEngine, type PointKey, type PointResult } from "../results/result.ts";
import { regionBetween, type Snapshot } from "../../machine/region.ts";

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

/** Throws a `ConfigError` for a key that names what does not exist. */
export function runPoint(key: PointKey, options: RunOptions): CheckedResult {
  const workload: Workload = pick(workloads, key.workload, "workload");
  const machine = new Machine({
    ...machineOf(key, options),
    guestFrames: workload.guestFrames(key.params),
  });
  const { guest, oracle, finish } = bootGuest(key, {
    ...options,
    machine,
    kernel: workload.guestOptions(key.params),
  });
  workload.run(guest, key.params, new Prng(key.seed));
  const { perOp } = workload.computeCycles;
  return {
    result: finish({ computeCyclesPerOp: perOp, label: labelOf(workload) }),
    checked: oracle?.checked ?? 0,
  };
}

/** What must stand beside a program's results; nothing for most. */
function labelOf(workload: Workload): string {
  return "label" in workload ? String(workload.label) : "";
}

/** The machine options that a key decides. */
export function machineOf(key: PointKey, { preset, mmu, memory }: RunOptions) {
  const { seed, backing, nestedLevels } = key;
  const hardware = { preset, mmu, ...(memory === undefined ? {} : { memory }) };
  return { ...hardware, vcpus: 1, seed, backing, nestedLevels, placement: "scatter" as const };
}

export interface GuestBoot extends RunOptions {
  readonly machine: Machine;
  /** What the program changes of the kernel's defaults. */
  readonly kernel: Partial<KernelOptions>;
}

export interface BootedGuest {
  readonly guest: Guest;
  readonly hypervisor: Hypervisor;
  readonly oracle: Oracle | null;
  /** Ends the measured region. */
  readonly finish: (about: Pick<PointResult, "computeCyclesPerOp" | "label">) => PointResult;
}

/** A guest on its hypervisor, counting: the kernel has booted and the first process runs. */
export function bootGuest(key: PointKey, boot: GuestBoot): BootedGuest {
  const { machine, kernel, preset, check } = boot;
  const variants: Readonly<Record<string, Engine>> = boot.engineVariants ?? {};
  const hypervisor = (variants[key.engine] ?? engineNamed(key.engine)).create(machine);
  const oracle = check ? watch(machine, hypervisor, key.engine) : null;
  const [vcpu] = machine.vcpus;
  assert(vcpu !== undefined, "run-point: a machine without a vCPU");
  let setup: Snapshot | null = null;
  const options = { ...kernelDefaults, ...kernel, levels: key.guestLevels, seed: key.seed };
  const guest = bootKernel({
    vcpu,
    hypervisor,
    // A kernel uses what its processor has.
    options: { ...options, pcid: options.pcid && preset.pcid },
    onMeasure() {
      assert(setup === null, `workload ${key.workload}: its set-up ends twice`);
      setup = machine.snapshot();
    },
  });
  return {
    guest,
    hypervisor,
    oracle,
    finish(about) {
      assert(setup !== null, `workload ${key.workload}: it never says where its set-up ends`);
      const end = machine.snapshot();
      oracle?.sharing.checkTables();
      oracle?.sharing.checkSnapshot();
      const regions = {
        setup: regionBetween(null, setup),
        measured: regionBetween(setup, end),
      };
      return { key, regions, checksum: vcpu.mmu.checksum(), ...about };
    },
  };
}

/** Attaches the oracle, which must see the boot as well. */
export function watch(machine: Machine, hypervisor: Hypervisor, engine: string): Oracle {
  return attachOracle(machine, hypervisor, { native: engine === baselineEngine, engine });
}
