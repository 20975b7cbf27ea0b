/**
 * Where claims run their programs: one run per distinct scene, shared by all claims that ask for it.
 *
 * Seed and sizes are fixed by the scene, so the same build gives the same numbers.
 */
import type { EngineName } from "../../engines/index.ts";
import type { Engine } from "../../hypervisor/engine.ts";
import { Prng } from "../../guest/prng.ts";
import { assert } from "../../machine/assert.ts";
import { hardwareFor } from "../../machine/hardware.ts";
import type { Workload, WorkloadParams } from "../../workloads/workload.ts";
import { readCost } from "../../bench/costs/cost-file.ts";
import { type CostModel, price, totalCycles } from "../../bench/costs/cost.ts";
import type { Cycles } from "../../bench/results/result.ts";
import type { RegionCounts } from "../../machine/region.ts";
import { regionBetween } from "../../machine/region.ts";
import { bootMachine, type Counts, type HostName, hosts } from "../../bench/points/boot-machine.ts";

export interface Scene<P extends WorkloadParams> {
  readonly program: Workload<P>;
  /** Where they differ from the program's defaults. */
  readonly params?: Partial<P>;
  /** One of the registry, or made for the claim: known by its title then. */
  readonly engine: EngineName | Engine;
  readonly host: HostName;
  readonly backing?: "4k" | "2m";
}

/** The measured region of a run, priced. */
export interface Outcome extends RegionCounts {
  readonly cycles: Cycles;
  readonly total: number;
}

const seed = 1;

export class Stage {
  private readonly outcomes = new Map<string, Outcome>();
  private readonly costs = new Map<string, CostModel>();

  run<P extends WorkloadParams>(scene: Scene<P>): Outcome {
    const { program, params, engine, host, backing = "4k" } = scene;
    const key = JSON.stringify([program.title, params ?? {}, engine, host, backing]);
    const known = this.outcomes.get(key);
    if (known !== undefined) return known;
    const values: P = { ...program.defaults, ...params };
    const region = played(scene, values);
    const cycles = this.price(region.ledger, host, program.computeCycles.perOp);
    const outcome = { ...region, cycles, total: totalCycles(cycles) };
    this.outcomes.set(key, outcome);
    return outcome;
  }

  /** Cycles of one scene over those of another. */
  ratio<P extends WorkloadParams>(above: Scene<P>, below: Scene<P>): number {
    return this.run(above).total / this.run(below).total;
  }

  price(counts: Counts, host: HostName, cyclesPerOp = 0): Cycles {
    const { cost } = hosts[host];
    const model = this.costs.get(cost) ?? readCost(cost);
    this.costs.set(cost, model);
    return price(counts, cyclesPerOp, model);
  }
}

/** The program on the guest operating system. */
function played<P extends WorkloadParams>(
  { program, engine, host, backing = "4k" }: Scene<P>,
  values: P,
): RegionCounts {
  const booted = bootMachine({
    engine,
    host,
    backing,
    guestFrames: program.guestFrames(values),
    kernel: program.guestOptions(values),
    hardware: hardwareFor(hosts[host].preset),
  });
  program.run(booted.guest, values, new Prng(seed));
  const start = booted.atMeasure();
  assert(start !== null, `published: ${program.title} never says where its set-up ends`);
  return regionBetween(start, booted.machine.snapshot());
}
