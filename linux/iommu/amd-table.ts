/**
 * A domain's tables as Linux's AMD driver keeps them: pages of any power of two, a large one as as many equal entries as it covers
 * of its level, tables that stay until a large page takes their place, one more level when an address is too large.
 *
 * Source: Linux 6.1 drivers/iommu/amd/io_pgtable.c `alloc_pte`, `fetch_pte`, `first_pte_l7`, `free_clear_pte`,
 * `increase_address_space`, `iommu_v1_map_pages`, `iommu_v1_unmap_pages`.
 */
import { entriesPerTable } from "../../machine/address.ts";
import { assert } from "../../machine/assert.ts";
import { frameOf } from "../../machine/formats/x86-entry.ts";
import {
  AMD_IR,
  AMD_IW,
  AMD_PR,
  amdFrame,
  amdLevelsMax,
  amdNext,
  amdOrder,
  ANY_SIZE,
  sizedFrame,
} from "../../machine/iommu/amd/entries.ts";
import type { DmaRights } from "./entry-formats.ts";
import type { DmaMapping } from "./io-table.ts";
import type { TableMemory } from "./table-memory.ts";

const granted: Readonly<Record<DmaRights, number>> = {
  read: AMD_IR,
  write: AMD_IW,
  "read-write": AMD_IR | AMD_IW,
};

/** What the driver does about caches; it is told before tables are freed. */
export interface AmdTableHooks {
  /** What was present has been replaced. */
  readonly replaced: () => void;
  /** The root is another one, with one level more. */
  readonly grown: () => void;
}

interface Slot {
  readonly table: number;
  readonly index: number;
  readonly level: number;
}

interface Leaf extends Slot {
  readonly order: number;
}

const indexIn = (page: number, level: number) =>
  Math.floor(page / 2 ** (9 * (level - 1))) % entriesPerTable;

export class AmdTable {
  root: number;
  levels: number;
  private readonly memory: TableMemory;
  private readonly hooks: AmdTableHooks;
  /** Tables that entries named which are gone. */
  private detached: number[] = [];
  private hasReplaced = false;

  constructor(memory: TableMemory, levels: number, hooks: AmdTableHooks) {
    this.memory = memory;
    this.levels = levels;
    this.hooks = hooks;
    this.root = memory.allocateFrame();
  }

  map({ page, frame, pages, rights }: DmaMapping): void {
    this.hasReplaced = false;
    for (let done = 0; done < pages;) {
      const order = orderThatFits(page + done, frame + done, pages - done);
      this.mapOne(page + done, frame + done, order, rights);
      done += 2 ** order;
    }
    if (this.hasReplaced) this.hooks.replaced();
    for (const table of this.detached.splice(0)) this.memory.freeFrame(table);
  }

  private mapOne(page: number, frame: number, order: number, rights: DmaRights): void {
    const { table, index } = this.make(page, Math.floor(order / 9) + 1);
    const count = 2 ** (order % 9);
    for (let i = 0; i < count; i++) this.detach({ table, index: index + i });
    const isSized = count > 1;
    const named = isSized ? sizedFrame(frame, order) : frame;
    const low = (named << 12) | ((isSized ? ANY_SIZE : 0) << 9) | AMD_PR;
    const high = Math.floor(named / 0x10_0000) | granted[rights];
    for (let i = 0; i < count; i++) this.memory.write(table, index + i, low, high);
  }

  /** The slot for `page` at `level`, tables above it made where there are none. */
  private make(page: number, level: number): Slot {
    while (page >= 2 ** (9 * this.levels)) this.grow();
    let slot: Slot = { table: this.root, index: indexIn(page, this.levels), level: this.levels };
    while (slot.level > level) {
      const { low, high } = this.read(slot);
      if ((low & AMD_PR) === 0 || amdNext(low) === 0 || amdNext(low) === ANY_SIZE) {
        // A larger page is torn down as a whole.
        if ((low & AMD_PR) !== 0) {
          this.clearLeaf(this.wholeOf(slot, low, high));
          this.hasReplaced = true;
        }
        const made = this.memory.allocateFrame();
        this.link(slot, made);
        slot = { table: made, index: indexIn(page, slot.level - 1), level: slot.level - 1 };
      } else {
        slot = this.below(slot, { low, high }, page);
      }
    }
    return slot;
  }

  private grow(): void {
    assert(this.levels < amdLevelsMax, "amd iommu: an address beyond six levels");
    const root = this.memory.allocateFrame();
    this.levels += 1;
    this.link({ table: root, index: 0, level: this.levels }, this.root);
    this.root = root;
    this.hooks.grown();
  }

  private link({ table, index, level }: Slot, to: number): void {
    const high = Math.floor(to / 0x10_0000) | AMD_IR | AMD_IW;
    this.memory.write(table, index, (to << 12) | ((level - 1) << 9) | AMD_PR, high);
  }

  private below({ level }: Slot, { low, high }: { low: number; high: number }, page: number): Slot {
    assert(amdNext(low) === level - 1, "amd iommu: Linux skips no level");
    return { table: frameOf(low, high), index: indexIn(page, level - 1), level: level - 1 };
  }

  private read({ table, index }: Pick<Slot, "table" | "index">) {
    return { low: this.memory.readLow(table, index), high: this.memory.readHigh(table, index) };
  }

  /** Clears an entry; tables below it are gone with it. */
  private detach({ table, index }: Pick<Slot, "table" | "index">): void {
    const { low, high } = this.read({ table, index });
    if ((low & AMD_PR) === 0) return;
    this.memory.write(table, index, 0, 0);
    const next = amdNext(low);
    if (next === 0 || next === ANY_SIZE) return;
    this.hasReplaced = true;
    this.collect(frameOf(low, high), next);
  }

  private collect(table: number, level: number): void {
    this.detached.push(table);
    if (level === 1) return;
    for (let index = 0; index < entriesPerTable; index++) {
      const { low, high } = this.read({ table, index });
      const next = amdNext(low);
      const isTable = (low & AMD_PR) !== 0 && next !== 0 && next !== ANY_SIZE;
      if (isTable) this.collect(frameOf(low, high), next);
    }
  }

  /** The leaf's first slot. */
  private wholeOf(slot: Slot, low: number, high: number): Leaf {
    const order = amdOrder(low, high, slot.level);
    const count = 2 ** (order - 9 * (slot.level - 1));
    return { ...slot, index: slot.index - (slot.index % count), order };
  }

  private clearLeaf({ table, index, level, order }: Leaf): void {
    const count = 2 ** (order - 9 * (level - 1));
    for (let i = 0; i < count; i++) this.memory.write(table, index + i, 0, 0);
  }

  /** The slot where `page`'s walk ends; null when it ends above the last level with nothing. */
  private find(page: number): (Leaf & { readonly low: number; readonly high: number }) | null {
    if (page >= 2 ** (9 * this.levels)) return null;
    let slot: Slot = { table: this.root, index: indexIn(page, this.levels), level: this.levels };
    for (;;) {
      const { low, high } = this.read(slot);
      const next = amdNext(low);
      const isPresent = (low & AMD_PR) !== 0;
      if (slot.level === 1 || (isPresent && (next === 0 || next === ANY_SIZE))) {
        return { ...this.wholeOf(slot, low, high), low, high };
      }
      if (!isPresent) return null;
      slot = this.below(slot, { low, high }, page);
    }
  }

  /** Clears what [page, page + pages) is mapped by; how many pages went, all of a large one that it begins in. */
  clear(page: number, pages: number): number {
    let cleared = 0;
    for (let at = page; cleared < pages;) {
      const leaf = this.find(at);
      if (leaf === null) break;
      const size = 2 ** leaf.order;
      this.clearLeaf(leaf);
      at += size - (at % size);
      cleared += size;
    }
    return cleared;
  }

  /** Frame behind `page`, or null: what a software walk says. */
  translate(page: number): number | null {
    const leaf = this.find(page);
    if (leaf === null || (leaf.low & AMD_PR) === 0) return null;
    return amdFrame(leaf.low, leaf.high, leaf.order) + (page % 2 ** leaf.order);
  }
}

/** log2 of the largest page that a run may start with. */
function orderThatFits(page: number, frame: number, pages: number): number {
  let order = 0;
  while (
    order < largestOrder &&
    page % 2 ** (order + 1) === 0 &&
    frame % 2 ** (order + 1) === 0 &&
    2 ** (order + 1) <= pages
  ) {
    order += 1;
  }
  return order;
}

/** AMD_IOMMU_PGSIZES: every power of two below 512 GiB. */
const largestOrder = 26;
export const amdPageSizes: readonly number[] = Array.from(
  { length: largestOrder + 1 },
  (_, order) => 2 ** order,
);
