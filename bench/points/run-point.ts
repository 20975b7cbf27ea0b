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
import { Machine } from "../../machine/machine.ts";
import type { Workload } from "../../workloads/workload.ts";
import { workloads } from "../../workloads/index.ts";
import { engineNamed } from "./catalogue.ts";
import { ConfigError, pick } from "../input/config-error.ts";
import { levelsProblem, programProblem } from "./point-problem.ts";
import type { Oracle } from "../../check/oracle/oracle.ts";
import type { PointKey, PointResult } from "../results/result.ts";
import { isSystem } from "./catalogue.ts";
import { type CheckedResult, machineOf, type RunOptions, watch } from "./point-machine.ts";
import { runSystem } from "./run-system.ts";

export { type CheckedResult, machineOf, type RunOptions, watch } from "./point-machine.ts";
import { regionBetween, type Snapshot } from "../../machine/region.ts";

/** Throws a `ConfigError` for a key that names what does not exist. */
export function runPoint(key: PointKey, options: RunOptions): CheckedResult {
  const workload: Workload = pick(workloads, key.workload, "workload");
  const problem =
    levelsProblem(key) ?? programProblem(key, { isRecordedSystem: isSystem(workload) });
  if (problem !== undefined) throw new ConfigError(problem);
  if (isSystem(workload)) return runSystem(key, options, workload);
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
  const { engine } = key;
  const made = (variants[engine] ?? engineNamed(engine)).create(machine);
  const { oracle, hypervisor } = watch(machine, made, { engine, check });
  const [vcpu] = machine.vcpus;
  assert(vcpu !== undefined, "run-point: a machine without a vCPU");
  let setup: Snapshot | null = null;
  const options = { ...kernelDefaults, ...kernel, levels: key.guestLevels, seed: key.seed };
  const guest = bootKernel({
    vcpu,
    hypervisor,
    // A kernel uses what its processor has.
    options: { ...options, pcid: options.pcid && preset.pcid },
    nodes: machine.nodes,
    onMeasure() {
      assert(setup === null, `workload ${key.workload}: its set-up ends twice`);
      hypervisor.host({ kind: "balance-tables" });
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
