/**
 * The frames of a kernel's own page tables on a machine with nodes: on which node each is made, and its copies elsewhere.
 *
 * Source: Achermann et al., "Mitosis" (ASPLOS 2020), section 5; Linux takes tables from the node of the processor that
 * faults.
 */
import type { Gfn } from "../machine/address.ts";
import { type NodePlan, nodeOfTables } from "../machine/nodes.ts";
import type { FrameAllocator } from "./frames.ts";

/** The copies of tables that have any, by node, under each of them. */
export type TableCopies = ReadonlyMap<number, readonly Gfn[]>;

export class TableFrames {
  /** Null: no table has copies, now and ever. */
  readonly copies: TableCopies | null;
  readonly plan: NodePlan | null;
  private readonly frames: FrameAllocator;
  private readonly made = new Map<number, readonly Gfn[]>();
  private readonly node: number;

  constructor(frames: FrameAllocator, plan: NodePlan | null) {
    this.frames = frames;
    this.plan = plan;
    this.node = plan === null ? 0 : nodeOfTables(plan.guestTables, 0, plan.count);
    this.copies = plan?.guestTables === "replicated" ? this.made : null;
  }

  take(): Gfn {
    const own = this.frames.take(this.node, "kernel");
    if (this.copies === null) return own;
    const home = this.frames.nodeOf(own);
    const nodes = Array.from({ length: this.plan?.count ?? 1 }, (_, node) => node);
    const all = nodes.map((node) => (node === home ? own : this.frames.take(node, "kernel")));
    for (const copy of all) this.made.set(copy, all);
    return own;
  }

  /** Gives a frame back, a table's or not; the copies of a table go with it. */
  release(frame: number): void {
    const copies = this.copies?.get(frame);
    if (copies === undefined) {
      this.frames.release(frame);
      return;
    }
    for (const copy of copies) {
      this.frames.release(copy);
      this.made.delete(copy);
    }
  }

  /** The table's copy on that node. */
  on(table: Gfn, node: number): Gfn {
    return this.made.get(table)?.[node] ?? table;
  }
}
