/**
 * A new rule in nested tables: leaves that are wider lose the right, or go. Whoever calls flushes.
 */
import { forEachLeaf, type RadixTree, splitLeaves } from "../tables/radix.ts";
import type { PolicyRule } from "./rules.ts";

/** More than any guest has. */
const allFrames = 2 ** 32;

export function narrowLeaves(tree: RadixTree, rule: PolicyRule): void {
  if (rule.kind === "lock-pages") return;
  const { memory, format } = tree;
  if (rule.kind === "approve-frames") {
    // What may be run has changed everywhere: all is mapped anew.
    forEachLeaf(tree, 0, allFrames, ({ table, index }) => memory.write(table, index, 0, 0));
    return;
  }
  const { start, frames } = rule;
  // Neighbours in a large page keep what they may.
  splitLeaves(tree, { start, pages: frames }, () => undefined);
  forEachLeaf(tree, start, frames, ({ table, index }) => {
    const low = memory.readLow(table, index);
    const high = memory.readHigh(table, index);
    if (rule.kind === "hide-frames") memory.write(table, index, 0, 0);
    else if (rule.kind === "bind-frames") memory.write(table, index, low, high | format.verifyHigh);
    else {
      const mayAsk = (low & format.write) !== 0 || (high & format.subPageHigh) !== 0;
      const asks = rule.kind === "lock-lines" && mayAsk ? format.subPageHigh : 0;
      const kept = high & ~(format.pagingWriteHigh | format.subPageHigh);
      const own = rule.kind === "stack-frames" ? format.supervisorStackHigh : 0;
      memory.write(table, index, low & ~format.write, kept | asks | own);
    }
  });
}
