/**
 * For tests: real guest programs on unlike machines, every access under the oracle.
 *
 * The programs are those that change their tables most, for some hundred thousand accesses each; the machines differ in
 * processor, host page size and depth of tables. Together 1.4 million accesses per engine.
 */
import { Prng } from "../../guest/prng.ts";
import { fastMmu } from "../../machine/fast.ts";
import { Machine } from "../../machine/machine.ts";
import { type PresetName, presets } from "../../machine/presets.ts";
import type { Workload } from "../../workloads/workload.ts";
import { workloads } from "../../workloads/index.ts";
import type { EngineName } from "../../engines/index.ts";
import type { PointKey } from "../results/result.ts";
import { bootGuest, machineOf } from "./run-point.ts";

interface Host extends Pick<PointKey, "backing" | "guestLevels" | "nestedLevels"> {
  readonly workload: keyof typeof workloads;
  /** Longer than usual, and on memory that the host has not backed yet. */
  readonly params: PointKey["params"];
  readonly preset: PresetName;
}

const fresh = { usedMemory: 0 };

const hosts: readonly Host[] = [
  {
    workload: "compile",
    params: { ...fresh, jobs: 12 },
    preset: "skylake-sp",
    backing: "4k",
    guestLevels: 4,
    nestedLevels: 4,
  },
  {
    workload: "cow-snapshot",
    params: { ...fresh, pages: 4096, requests: 20_000 },
    preset: "zen2",
    backing: "2m",
    guestLevels: 4,
    nestedLevels: 5,
  },
  {
    workload: "forkwait",
    params: { ...fresh, forks: 200 },
    preset: "p4-vtx",
    backing: "4k",
    guestLevels: 4,
    nestedLevels: 4,
  },
  {
    workload: "mprotect-gc",
    params: { ...fresh, pages: 2048, collectionRounds: 5, accesses: 20_000 },
    preset: "nehalem",
    backing: "2m",
    guestLevels: 5,
    nestedLevels: 4,
  },
];

export interface Checked {
  readonly accesses: number;
  /** Guest page faults. */
  readonly faults: number;
  /** Accesses that needed a cached value which tables no longer hold. */
  readonly stale: number;
}

/** Throws an `OracleMismatch` at the first access that is not legal. */
export function checkPrograms(engine: EngineName): Checked {
  const total = { accesses: 0, faults: 0, stale: 0 };
  for (const host of hosts) {
    const workload: Workload = workloads[host.workload];
    const params = { ...workload.defaults, ...host.params };
    const key: PointKey = { id: 0, engine, seed: 1, ...host, params };
    const options = { preset: presets[host.preset], mmu: fastMmu, check: true };
    const guestFrames = workload.guestFrames(key.params);
    const machine = new Machine({ ...machineOf(key, options), guestFrames });
    const kernel = workload.guestOptions(key.params);
    const { guest, oracle } = bootGuest(key, { ...options, machine, kernel });
    if (oracle === null) throw new Error("bug: checked-points: no oracle");
    workload.run(guest, key.params, new Prng(key.seed));
    machine.snapshot();
    total.accesses += oracle.checked;
    total.faults += oracle.faults;
    total.stale += oracle.stale;
  }
  return total;
}
