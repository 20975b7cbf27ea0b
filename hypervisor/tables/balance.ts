/**
 * Tables follow what they point to: one whose entries lead to another node for the most part is moved there.
 *
 * From the leaves up, so that a table sees where its children are in the end. The root stays: it is read from a cache.
 *
 * Source: Panwar et al., vMitosis (ASPLOS 2021), section 3.2 "Page-table migration".
 */
import { entriesPerTable, type Pfn } from "../../machine/address.ts";
import { majority } from "../../machine/nodes.ts";
import { childTable, type EntryPlace, putEntry, type RadixTree } from "./radix.ts";

/** Moves what has to move, and says how many tables that were. Cached translations are the caller's. */
export function balanceTables(tree: RadixTree, nodes: number): number {
  return balanceBelow(tree, tree.root, tree.levels, nodes).moved;
}

function balanceBelow(
  tree: RadixTree,
  table: Pfn,
  level: number,
  nodes: number,
): { readonly moved: number; readonly node: number } {
  const { memory, format } = tree;
  const counts = Array.from({ length: nodes }, () => 0);
  let moved = 0;
  for (let index = 0; index < entriesPerTable; index++) {
    const low = memory.readLow(table, index);
    if ((low & format.link) === 0) continue;
    const place = { table, index, level };
    const child = childTable(tree, place);
    let at = memory.nodeOf(format.frameOf(low, memory.readHigh(table, index)) as Pfn);
    if (child !== null) {
      const below = balanceBelow(tree, child, level - 1, nodes);
      moved += below.moved;
      if (below.node !== at) {
        moveTable(tree, place, child, below.node);
        moved += 1;
        at = below.node;
      }
    }
    counts[at] = (counts[at] ?? 0) + 1;
  }
  return { moved, node: majority(counts, memory.nodeOf(table)) };
}

/** The table `child`, linked at `place`, gets another frame on that node. */
function moveTable(tree: RadixTree, place: EntryPlace, child: Pfn, node: number): void {
  const { memory, format } = tree;
  const to = memory.allocateTable(node);
  for (let index = 0; index < entriesPerTable; index++) {
    memory.write(to, index, memory.readLow(child, index), memory.readHigh(child, index));
  }
  const flags = memory.readLow(place.table, place.index) & (2 ** format.frameShift - 1);
  putEntry(tree, place, { frame: to, flags });
  memory.freeTable(child);
}
