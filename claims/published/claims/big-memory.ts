/**
 * Big-memory codes under EPT and under shadow paging without VPID (DMT 2024, figure 4), over native.
 */
import { btree } from "../../../workloads/btree.ts";
import { gups } from "../../../workloads/gups.ts";
import type { EngineName } from "../../../engines/index.ts";
import type { Claim } from "../claim.ts";
import type { Stage } from "../stage.ts";

type Code = "GUPS" | "BTree";

const pages = 65_536;

function total(stage: Stage, code: Code, engine: EngineName): number {
  const host = engine === "shadow-lazy" ? "skylake-sp-caches, VPID off" : "skylake-sp-caches";
  const scene = { engine, host } as const;
  if (code === "GUPS") {
    return stage.run({ ...scene, program: gups, params: { pages, updateOps: 60_000 } }).total;
  }
  return stage.run({ ...scene, program: btree, params: { leaves: pages, lookups: 30_000 } }).total;
}

type Notes = Pick<Claim, "note" | "missedBecause">;

function claim(id: string, code: Code, engine: "ept" | "shadow-lazy", notes: Notes): Claim {
  return {
    name: `${code}, ${engine === "ept" ? "EPT" : "shadow"} / native`,
    class: "c",
    published: id,
    ...(engine === "ept" ? {} : { rows: ["DM24-074"] }),
    compare: { kind: "measured" },
    unit: "x",
    how: `${code === "GUPS" ? "gups" : "btree"} on 256 MiB, skylake-sp-caches: cycles under ${engine === "ept" ? "ept" : "shadow-lazy with VPID off"} / native`,
    simulate: (stage) => total(stage, code, engine) / total(stage, code, "native"),
    ...notes,
  };
}

const steady =
  "measured after set-up, where nothing exits: their runs contain first touches, and what else exits is not said";
const inOrder =
  "walk cycles are summed, where an out-of-order core overlaps independent updates with each other";

export const bigMemory: readonly Claim[] = [
  claim("DM24-050", "GUPS", "ept", { missedBecause: inOrder }),
  claim("DM24-051", "GUPS", "shadow-lazy", { missedBecause: steady }),
  claim("DM24-053", "BTree", "ept", { note: "256 MiB here, 155 GB there" }),
  claim("DM24-054", "BTree", "shadow-lazy", { missedBecause: steady }),
];
