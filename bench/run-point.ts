/**
 * Runs one point: a machine, a hypervisor on it, a guest in that, a program in the guest.
 *
 * Everything follows from the key, so a point gives the same counts on any worker and any machine. The
 * program says where its set-up ends; the measured region is the difference of two snapshots.
 */
import { engines } from "../engines/index.ts";
import { bootKernel } from "../guest/kernel.ts";
import { kernelDefaults, type KernelOptions } from "../guest/options.ts";
import { Prng } from "../guest/prng.ts";
import { assert } from "../machine/assert.ts";
import { subtract } from "../machine/counters.ts";
import { Machine, type MmuFactory } from "../machine/machine.ts";
import type { Preset } from "../machine/presets.ts";
import type { Workload } from "../workloads/workload.ts";
import { workloads } from "../workloads/index.ts";
import { pick } from "./config-error.ts";
import { attachOracle, type Oracle } from "./oracle/oracle.ts";
import { baselineEngine, type PointKey, type PointResult, type RegionResult } from "./result.ts";

export interface RunOptions {
  /** The machine that the key's preset names. */
  readonly preset: Preset;
  readonly mmu: MmuFactory;
  /** Watch every access with the oracle; the first illegal one throws. */
  readonly check: boolean;
}

/** A point's result, and how many accesses the oracle saw (0 without it). */
export interface CheckedResult {
  readonly result: PointResult;
  readonly checked: number;
}

/** Throws a `ConfigError` for a key that names what does not exist. */
export function runPoint(key: PointKey, options: RunOptions): CheckedResult {
  const workload: Workload = pick(workloads, key.workload, "workload");
  const { preset } = options;
  const machine = new Machine({
    preset,
    mmu: options.mmu,
    guestFrames: workload.guestFrames(key.params),
    vcpus: 1,
    seed: key.seed,
    backing: key.backing,
    nestedLevels: key.nestedLevels,
    placement: "scatter",
  });
  const hypervisor = pick(engines, key.engine, "engine")(machine);
  const oracle = options.check ? watch(machine, hypervisor, key.engine) : null;

  let setup: Snapshot | null = null;
  const [vcpu] = machine.vcpus;
  assert(vcpu !== undefined, "run-point: a machine without a vCPU");
  const guest = bootKernel({
    vcpu,
    hypervisor,
    options: kernelOptions(key, workload, preset),
    onMeasure() {
      assert(setup === null, `workload ${key.workload}: its set-up ends twice`);
      setup = machine.snapshot();
    },
  });
  workload.run(guest, key.params, new Prng(key.seed));
  const end = machine.snapshot();
  return {
    result: {
      key,
      regions: regionsOf(setup, end, key.workload),
      computeCyclesPerOp: workload.computeCycles.perOp,
      checksum: vcpu.mmu.checksum(),
      label: "",
    },
    checked: oracle?.checked ?? 0,
  };
}

type Snapshot = ReturnType<Machine["snapshot"]>;

/** The set-up region and what came after it. */
export function regionsOf(
  setup: Snapshot | null,
  end: Snapshot,
  program: string,
): PointResult["regions"] {
  assert(setup !== null, `workload ${program}: it never says where its set-up ends`);
  return { setup: region(setup), measured: region(end, setup) };
}

/** Attaches the oracle, which must see the boot as well. */
export function watch(
  machine: Machine,
  hypervisor: Parameters<typeof attachOracle>[1],
  engine: string,
): Oracle {
  return attachOracle(machine, hypervisor, { native: engine === baselineEngine, engine });
}

function region(now: Snapshot, then?: Snapshot): RegionResult {
  const walkLengths = Array.from(now.walkLengths, (count, references) => {
    return count - (then?.walkLengths[references] ?? 0);
  });
  return {
    ledger: then === undefined ? now.ledger : subtract(now.ledger, then.ledger),
    walkLengths,
  };
}

/** A kernel uses what its processor has: PCID only where the preset has it. */
function kernelOptions(key: PointKey, workload: Workload, preset: Preset): KernelOptions {
  const options = {
    ...kernelDefaults,
    ...workload.guestOptions(key.params),
    levels: key.guestLevels,
    seed: key.seed,
  };
  return { ...options, pcid: options.pcid && preset.pcid };
}
