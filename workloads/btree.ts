/**
 * B-tree lookups: one node per page and level, from the root to a random leaf.
 *
 * Shape: the upper levels stay in the TLB, the leaves never do, so the share of misses per lookup follows
 * from the tree's depth.
 */
import type { Vpn } from "../machine/address.ts";
import { footprintFrames } from "../guest/footprint.ts";
import type { PageSize } from "./options.ts";
import type { Workload } from "./workload.ts";
import { mappedPages, workingSet } from "./working-set.ts";

type BtreeParams = {
  /** Leaf nodes; each node is one 4 KiB page. */
  readonly leaves: number;
  /** Children per inner node. */
  readonly fanout: number;
  readonly lookups: number;
  readonly pageSize: PageSize;
};

/** Loads in one node: the steps of a binary search that leave its first cache line. */
const readsPerNode = 4;

/** Nodes per level, the root first. */
function levelSizes(leaves: number, fanout: number): number[] {
  const sizes = [leaves];
  for (let nodes = leaves; nodes > 1;) {
    nodes = Math.ceil(nodes / Math.max(2, fanout));
    sizes.unshift(nodes);
  }
  return sizes;
}

function nodeCount({ leaves, fanout }: BtreeParams): number {
  return levelSizes(leaves, fanout).reduce((sum, nodes) => sum + nodes, 0);
}

export const btree: Workload<BtreeParams> = {
  title: "B-tree lookups",
  summary: "A database index: hot inner nodes, cold leaves.",
  defaults: { leaves: 32_768, fanout: 64, lookups: 40_000, pageSize: "4k" },
  computeCycles: { perOp: 40, source: "assumed: binary search within one node" },
  guestFrames: (params) =>
    footprintFrames({ pages: mappedPages(nodeCount(params), params.pageSize), processes: 1 }),
  guestOptions: () => ({}),

  run(guest, params, prng) {
    const { leaves, fanout, lookups, pageSize } = params;
    const base = workingSet(guest, nodeCount(params), pageSize);
    // Per level: first node, and how many leaves lie below one of its nodes.
    const sizes = levelSizes(leaves, fanout);
    let first = 0;
    let span = leaves;
    const levels = sizes.map((nodes, depth) => {
      const level = { first, span };
      first += nodes;
      span = Math.ceil(leaves / (sizes[depth + 1] ?? leaves));
      return level;
    });
    guest.measure();
    for (let i = 0; i < lookups; i++) {
      const leaf = prng.below(leaves);
      for (const level of levels) {
        const vpn = (base + level.first + Math.floor(leaf / level.span)) as Vpn;
        for (let read = 0; read < readsPerNode; read++) guest.read(vpn, prng.below(64) * 64);
      }
    }
    guest.compute(lookups * levels.length);
  },
};
