/**
 * A new rule in nested tables: leaves that are wider lose the right, or go. Whoever calls flushes.
 */
import { W } from "../../machine/entry.ts";
import { forEachLeaf, type RadixTree, splitLeaves } from "../tables/radix.ts";
import type { PolicyRule } from "./rules.ts";

export function narrowLeaves(tree: RadixTree, rule: PolicyRule): void {
  if (rule.kind === "lock-pages") return;
  const { memory } = tree;
  const { start, frames } = rule;
  // Neighbours in a large page keep what they may.
  splitLeaves(tree, { start, pages: frames }, () => undefined);
  forEachLeaf(tree, start, frames, ({ table, index }) => {
    if (rule.kind === "hide-frames") memory.write(table, index, 0, 0);
    else memory.setLow(table, index, memory.readLow(table, index) & ~W);
  });
}
