/**
 * The sub-page permissions of a guest, as its policy has them: a vector for each frame with a locked line.
 *
 * It is written when the rule comes and before any leaf asks it, so that no store ever misses. Silicon keeps nothing of it;
 * what is flushed is the leaf that was writable.
 */
import type { Gfn, Pfn } from "../../machine/address.ts";
import { sppt, vectorOf } from "../../machine/formats/sub-pages.ts";
import { makePlace, type RadixTree, type TableMemory } from "../tables/radix.ts";
import type { MemoryPolicy } from "./memory-policy.ts";
import type { PolicyRule } from "./rules.ts";

export class LinePermissions {
  readonly root: Pfn;
  private readonly tree: RadixTree;

  constructor(memory: TableMemory) {
    this.root = memory.allocateTable();
    this.tree = { memory, format: sppt, root: this.root, levels: 4 };
  }

  /** The rule holds: its frames have the vectors that all rules leave. */
  follow(policy: MemoryPolicy, rule: PolicyRule): void {
    if (rule.kind !== "lock-lines") return;
    for (let gfn = rule.start; gfn < rule.start + rule.frames; gfn = (gfn + 1) as Gfn) {
      const { table, index } = makePlace(this.tree, gfn, 1);
      this.tree.memory.write(table, index, ...vectorOf(~policy.lockedLines(gfn)));
    }
  }
}
