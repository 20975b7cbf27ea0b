/**
 * Where the lines of walks are, and what each dimension of a walk costs: counters of real processors, a simulator's log
 * and DMT's simulated steps, against programs on 4 and 8 GiB whose own lines share the caches.
 */
import { btree } from "../../../workloads/btree.ts";
import { gups } from "../../../workloads/gups.ts";
import { uniform } from "../../../workloads/uniform.ts";
import type { Claim } from "../claim.ts";
import type { Outcome, Stage } from "../stage.ts";
import { bigPages, bigScene } from "./big-memory.ts";

const reads = { pages: bigPages, accesses: 300_000, writePercent: 0 };

export function randomReads(stage: Stage): Outcome {
  return stage.run({ program: uniform, params: reads, engine: "ept", host: "skylake-sp-caches" });
}

function nestedOverGuest({ cycles }: Outcome): number {
  return cycles.walkNested / cycles.walkGuest;
}

/** Xeon Gold 6252, both tables on the program's own node. */
const codes = [
  {
    id: "VX21-003",
    code: "GUPS",
    ours: "gups",
    run: (stage: Stage) => stage.run(bigScene(gups, "ept")),
  },
  {
    id: "VX21-004",
    code: "BTree",
    ours: "btree",
    run: (stage: Stage) => stage.run(bigScene(btree, "ept")),
  },
  { id: "VX21-005", code: "Canneal", ours: "uniform reads", run: randomReads },
  {
    id: "VX21-006",
    code: "XSBench",
    ours: "btree",
    run: (stage: Stage) => stage.run(bigScene(btree, "ept")),
  },
] as const;

const dimensions = codes.map(({ id, code, ours, run }): Claim => ({
  name: `${code}, nested / guest walk cycles`,
  class: "c",
  published: `${id}[2] / ${id}[1]`,
  compare: { kind: "measured" },
  unit: "x",
  how: `${ours} on 4 GiB, ept, skylake-sp-caches: cycles of nested references / guest references`,
  simulate: (stage) => nestedOverGuest(run(stage)),
}));

const guestSteps = "(DM24-012 + DM24-017 + DM24-022 + DM24-027)";
const small = "4 GiB here, 155 GB there";

const redis = (["guest", "nested"] as const).map((dimension): Claim => ({
  name: `2D walk of Redis, ${dimension} dimension`,
  class: "c",
  published: dimension === "guest" ? guestSteps : `DM24-032 - ${guestSteps}`,
  compare: { kind: "measured" },
  unit: "cycles per walk",
  how: `uniform reads on 4 GiB, ept, skylake-sp-caches: cycles of ${dimension} references per walk`,
  simulate: (stage) => {
    const { ledger, cycles } = randomReads(stage);
    return (dimension === "guest" ? cycles.walkGuest : cycles.walkNested) / ledger.walks;
  },
  note: small,
}));

/** GUPS of 8 GiB in EMT's simulator. */
function leafLines(stage: Stage): Outcome {
  const params = { pages: 2 * bigPages, updateOps: 200_000 };
  return stage.run({ program: gups, params, engine: "native", host: "EMT's caches" });
}

const leafPlaces = (["LlcHits", "Dram"] as const).map((place, index): Claim => ({
  name: `leaf entries of 8 GiB, in ${place === "Dram" ? "DRAM" : "the last level"}`,
  class: "c",
  published: `EM25-001[${2 + index}]`,
  compare: { kind: "measured" },
  unit: "% of walks",
  how: "gups on 8 GiB, native, L2 of 512 KiB and last level of 16 MiB: references found there per walk, nearly all leaf entries",
  simulate: (stage) => {
    const { ledger } = leafLines(stage);
    return (100 * ledger[`guestReference${place}`]) / ledger.walks;
  },
}));

export const walkPlaces: readonly Claim[] = [...dimensions, ...redis, ...leafPlaces];
