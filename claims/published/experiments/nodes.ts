/**
 * Where vMitosis's BTree, whose nodes' layout is not in the paper, differs from ours.
 */
import type { HostName } from "../../../bench/points/boot-machine.ts";
import { btree } from "../../../workloads/btree.ts";
import { bigPages } from "../claims/big-memory.ts";
import type { Stage } from "../stage.ts";
import { thinned } from "./altered.ts";
import type { Experiment } from "./experiment.ts";

/** Ours reads four lines of each node. */
const oneLine = thinned(btree, 4);

function cycles(stage: Stage, host: HostName): number {
  const params = { leaves: bigPages, lookups: 60_000 };
  return stage.run({ program: oneLine, params, engine: "ept", host }).total;
}

export const nodeExperiments: readonly Experiment[] = [
  {
    claim: "BTree, both tables far / near",
    change: "a lookup reads one line of each node, not four",
    simulate: (stage) => cycles(stage, "two nodes, both tables far") / cycles(stage, "two nodes"),
  },
];
