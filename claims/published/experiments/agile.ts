/**
 * Agile paging's missed claims: what our programs do to their tables that the paper's do not, and the other way round.
 */
import { agilePolicy, createAgile } from "../../../engines/agile.ts";
import type { Engine } from "../../../hypervisor/engine.ts";
import { assert } from "../../../machine/assert.ts";
import { type PageSize, type Stand, stands } from "../../stands.ts";
import { better, cycles, gain, slowdown, walkCycles } from "../claims/agile-rankings.ts";
import { overheadRatio } from "../claims/agile-winner.ts";
import { allocating } from "./altered.ts";
import type { Experiment } from "./experiment.ts";

const untried: Engine = {
  title: "agile paging that never tries to shadow",
  family: "shadow",
  create: (platform) =>
    createAgile(platform, { ...agilePolicy, worthCycles: Number.POSITIVE_INFINITY }),
};

type Params = ReturnType<Stand["params"]>;

function standWith(name: string, change: (params: Params, times: number) => Params): Stand {
  const stand = stands.find((one) => one.name === name);
  assert(stand !== undefined, `published: no stand ${name}`);
  const params = (size: PageSize, times: number) => change(stand.params(size, times), times);
  return { ...stand, params };
}

const server = standWith("memcached", (params) => params);
const calmServer = standWith("memcached", (params) => ({
  ...params,
  pages: 1_048_576,
  requestsPerSwitch: 64,
  requestsPerSlab: 512,
}));
const never = 1_000_000;
const aloneServer = standWith("memcached", (params) => ({ ...params, requestsPerSwitch: never }));
const steadyServer = standWith("memcached", (params) => ({
  ...params,
  requestsPerSwitch: never,
  requestsPerSlab: never,
}));
const churn = standWith("dedup", (params) => params);
const calmChurn = standWith("dedup", (params, times) => ({
  ...params,
  churnOps: 40 * times,
  accessesPerOp: 640,
}));

const storing = new Set(["memcached", "gcc", "dedup"]);
const resting = stands.filter(({ name }) => !storing.has(name));

function restingWith(accesses: number): readonly Stand[] {
  return resting.map((stand) => ({
    ...stand,
    altered: (program) => allocating(program, accesses),
  }));
}

type Cost = typeof cycles;

function against(
  { cost, size, rival = "ept" }: { cost: Cost; size: PageSize; rival?: "ept" },
  stand: Stand,
  engine: Engine | "agile" | "shadow-lazy",
): Experiment["simulate"] {
  return (stage) => cost(stage, stand, engine, size) / cost(stage, stand, rival, size);
}

const dedup = { cost: cycles, size: "4k" } as const;
const dedupWalks = { cost: walkCycles, size: "4k" } as const;
const memcached = { cost: cycles, size: "2m" } as const;
const memcachedWalks = { cost: walkCycles, size: "2m" } as const;
const noTry = "agile paging never tries to shadow";
const tenth = "blocks are replaced a tenth as often";
const calm = "an eighth of the switches and slabs, on 4 GiB";

const one: readonly Experiment[] = [
  { claim: "dedup 4k, agile / nested", change: noTry, simulate: against(dedup, churn, untried) },
  {
    claim: "dedup 4k, agile / nested",
    change: tenth,
    simulate: against(dedup, calmChurn, "agile"),
  },
  {
    claim: "dedup 4k, walks of agile / of nested",
    change: noTry,
    simulate: against(dedupWalks, churn, untried),
  },
  {
    claim: "dedup 4k, walks of agile / of nested",
    change: tenth,
    simulate: against(dedupWalks, calmChurn, "agile"),
  },
  {
    claim: "memcached 2m, agile / nested",
    change: noTry,
    simulate: against(memcached, server, untried),
  },
  {
    claim: "memcached 2m, agile / nested",
    change: "no switches to a client",
    simulate: against(memcached, aloneServer, "agile"),
  },
  {
    claim: "memcached 2m, agile / nested",
    change: calm,
    simulate: against(memcached, calmServer, "agile"),
  },
  {
    claim: "memcached 2m, walks of shadow / of nested",
    change: "no switches, no slabs",
    simulate: against(memcachedWalks, steadyServer, "shadow-lazy"),
  },
  {
    claim: "memcached 2m, walks of shadow / of nested",
    change: calm,
    simulate: against(memcachedWalks, calmServer, "shadow-lazy"),
  },
];

const rates = [50_000, 5_000] as const;

const all: readonly Experiment[] = [
  {
    claim: "translation overhead 4k, shadow / native",
    change: "the five alone that store to no table; theirs have 1.3",
    simulate: (stage) => overheadRatio(stage, "shadow-lazy", resting),
  },
  {
    claim: "agile, mean slowdown over native",
    change: "the five alone that store to no table",
    simulate: (stage) => slowdown(stage, resting),
  },
  ...rates.map((accesses): Experiment => ({
    claim: "agile, mean slowdown over native",
    change: `these five, a block of 128 KiB replaced every ${accesses} accesses`,
    simulate: (stage) => slowdown(stage, restingWith(accesses)),
  })),
  ...(["4k", "2m"] as const).flatMap((size) =>
    rates.map((accesses): Experiment => ({
      claim: `agile, gain over the better of both${size === "4k" ? "" : " at 2m"}`,
      change: `the five that store to no table, a block of 128 KiB replaced every ${accesses} accesses`,
      simulate: (stage) =>
        gain(stage, size, (stand) => better(stage, stand, size), restingWith(accesses)),
    })),
  ),
];

export const agileExperiments: readonly Experiment[] = [...one, ...all];
