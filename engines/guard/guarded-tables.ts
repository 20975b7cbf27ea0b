/**
 * The guest's tables that must not change unseen, as a tree of what links what.
 *
 * A frame may be a table at several levels and places, so a node is one of its parts: frame, level, role. A node
 * lives as long as a root or another node leads to it, and its frame is write-protected in the nested tables as long.
 *
 * Source: Samsung RKP and "guest tables read-only, every update by hypercall"; KVM page tracking, `track_prewrite`.
 */
import { entriesPerTable, type Gfn } from "../../machine/address.ts";
import {
  frameOf,
  isLarge,
  isPresent,
  isWritable,
  withWrite,
  withoutWrite,
} from "../../machine/formats/x86-entry.ts";
import { findPlace, splitLeaves } from "../../hypervisor/tables/radix.ts";
import type { GuardParts } from "./guard.ts";

export interface GuardedTable {
  readonly gfn: Gfn;
  readonly level: number;
  /** Where it stands: see `hypervisor/policy/page-locks.ts`. */
  readonly role: number;
  /** Entries that lead here, by the table that has them. */
  readonly parents: Map<GuardedTable, number>;
  readonly children: Map<number, GuardedTable>;
}

/**
 * Which tables are guarded: those on the way to a locked page, all that a root leads to, or of those that have leaves of
 * 4 KiB a share only, in percent.
 */
export type GuardScope = "path" | "all" | { readonly leafPercent: number };

export class GuardedTables {
  /** A frame lost the right to be written: cached translations must go before the guest runs on. */
  flushNeeded = false;
  private readonly parts: GuardParts;
  private readonly scope: GuardScope;
  private readonly roots = new Map<Gfn, GuardedTable>();
  /** Leaf tables seen while a share of them is guarded, each with its lot. */
  private readonly lots = new Map<Gfn, boolean>();
  private readonly byFrame = new Map<Gfn, readonly GuardedTable[]>();

  constructor(parts: GuardParts, scope: GuardScope) {
    this.parts = parts;
    this.scope = scope;
  }

  /** What the frame is a table as. */
  of(gfn: Gfn): readonly GuardedTable[] {
    return this.byFrame.get(gfn) ?? [];
  }

  isRoot(gfn: Gfn): boolean {
    return this.roots.has(gfn);
  }

  addRoot(gfn: Gfn, level: number): void {
    const role = this.parts.policy.pages.roleOf(0, level);
    // No page is locked, so no path is there to guard.
    if (this.scope === "path" && role === 0) return;
    this.roots.set(gfn, this.find(gfn, level, role));
  }

  /** Nothing is guarded for the sake of this root any more. */
  dropRoot(gfn: Gfn): void {
    const table = this.roots.get(gfn);
    if (table === undefined) return;
    this.roots.delete(gfn);
    this.dropIfUnused(table);
  }

  /** The roots that lead to the table. */
  rootsAbove(table: GuardedTable): ReadonlySet<Gfn> {
    const above = new Set<Gfn>();
    const pending = [table];
    for (let one = pending.pop(); one !== undefined; one = pending.pop()) {
      if (this.roots.get(one.gfn) === one) above.add(one.gfn);
      pending.push(...one.parents.keys());
    }
    return above;
  }

  /** Entry `index` may lead elsewhere now. */
  relink(table: GuardedTable, index: number): void {
    // A table that maps itself may have been let go by its own change, as what it was at a lower level.
    if (!this.of(table.gfn).includes(table)) return;
    const before = table.children.get(index);
    const after = this.linkedAt(table, index);
    if (before === after) return;
    if (after !== undefined) {
      table.children.set(index, after);
      after.parents.set(table, (after.parents.get(table) ?? 0) + 1);
    } else table.children.delete(index);
    if (before !== undefined) this.unlink(table, before);
  }

  relinkAll(table: GuardedTable): void {
    for (let index = 0; index < entriesPerTable; index++) this.relink(table, index);
  }

  /** The guarded table that the guest's entry names. */
  private linkedAt({ gfn, level, role }: GuardedTable, index: number): GuardedTable | undefined {
    if (level === 1) return undefined;
    const { memory, policy } = this.parts;
    const below = policy.pages.below(role, index);
    if (this.scope === "path" && below === 0) return undefined;
    const low = memory.readLow(gfn, index);
    const child = frameOf(low, memory.readHigh(gfn, index)) as Gfn;
    if (!isPresent(low) || isLarge(low) || child >= memory.frames) return undefined;
    return level > 2 || below !== 0 || this.isChosen(child)
      ? this.find(child, level - 1, below)
      : undefined;
  }

  /** Has this leaf table the lot to be guarded? Lots fall evenly, in the order in which tables are met. */
  private isChosen(gfn: Gfn): boolean {
    if (typeof this.scope === "string") return true;
    const lot = this.lots.get(gfn);
    if (lot !== undefined) return lot;
    const { leafPercent } = this.scope;
    const shareOf = (tables: number) => Math.floor((tables * leafPercent) / 100);
    const drawn = shareOf(this.lots.size + 1) > shareOf(this.lots.size);
    this.lots.set(gfn, drawn);
    return drawn;
  }

  private find(gfn: Gfn, level: number, role: number): GuardedTable {
    const known = this.of(gfn).find((one) => one.level === level && one.role === role);
    if (known !== undefined) return known;
    const table = { gfn, level, role, parents: new Map(), children: new Map() };
    if (this.of(gfn).length === 0) this.protect(gfn);
    this.byFrame.set(gfn, [...this.of(gfn), table]);
    // Protected before it is read: what it says now is what it goes on to say.
    this.relinkAll(table);
    return table;
  }

  private unlink(parent: GuardedTable, child: GuardedTable): void {
    const links = child.parents.get(parent)! - 1;
    if (links > 0) child.parents.set(parent, links);
    else child.parents.delete(parent);
    this.dropIfUnused(child);
  }

  private dropIfUnused(table: GuardedTable): void {
    const { gfn, parents, children } = table;
    if (parents.size > 0 || this.roots.get(gfn) === table) return;
    const others = this.of(gfn).filter((one) => one !== table);
    if (others.length > 0) this.byFrame.set(gfn, others);
    else {
      this.byFrame.delete(gfn);
      this.unprotect(gfn);
    }
    for (const child of children.values()) this.unlink(table, child);
  }

  private protect(gfn: Gfn): void {
    const { policy, tree, memory } = this.parts;
    const { pagingWriteHigh } = tree.format;
    policy.guard(gfn, true);
    // Its neighbours in a large page may go on being written.
    splitLeaves(tree, { start: gfn, pages: 1 }, () => (this.flushNeeded = true));
    const { table, index } = findPlace(tree, gfn);
    const low = tree.memory.readLow(table, index);
    const high = tree.memory.readHigh(table, index);
    if ((low & present) === 0) return;
    const marks = policy.takesMarks(gfn) && memory.isWritable(gfn) ? high | pagingWriteHigh : high;
    if (!isWritable(low) && marks === high) return;
    tree.memory.write(table, index, withoutWrite(low), marks);
    this.parts.vcpus[0]!.ledger.entriesWriteProtected += 1;
    this.flushNeeded = true;
  }

  /** It may be written again, by a leaf that says so at once: rights that grow need no flush. */
  private unprotect(gfn: Gfn): void {
    const { policy, tree, memory } = this.parts;
    const { pagingWriteHigh } = tree.format;
    policy.guard(gfn, false);
    const { table, index } = findPlace(tree, gfn);
    const low = tree.memory.readLow(table, index);
    if ((low & present) === 0 || !policy.mayStore(gfn, "guest") || !memory.isWritable(gfn)) return;
    const high = tree.memory.readHigh(table, index);
    tree.memory.write(table, index, withWrite(low), high & ~pagingWriteHigh);
  }
}

/** Read, write, execute. */
const present = 7;
