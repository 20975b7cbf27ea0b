/**
 * Random life of one unit of translation hardware, as data: what the differential test does to two alike.
 *
 * Two guest trees and a tree per nested format, 5 levels each (a 4-level root is the table below), over
 * few pages on both sides of table boundaries, so that operations collide. Entries are rewritten at all
 * levels without regard for what caches hold: a guest that never flushes is legal for silicon.
 */
import { indexAt, pagesPerEntry, type PagingLevels, type Pfn } from "../../machine/address.ts";
import { createLedger, walkLengthMax } from "../../machine/counters.ts";
import { EPT_D, PS } from "../../machine/entry.ts";
import type { NestedPaging } from "../../machine/exit.ts";
import type { MmuFactory } from "../../machine/machine.ts";
import { PhysicalMemory } from "../../machine/memory.ts";
import type { Mmu } from "../../machine/mmu.ts";
import type { Preset } from "../../machine/presets.ts";
import { registersOf, rwx, userWritable } from "./plain-fixture.ts";

/** Pages on both sides of boundaries between tables of each level. */
export const pages: readonly number[] = [
  0,
  1,
  2,
  3,
  511,
  512,
  513,
  1026,
  2 ** 18 - 1,
  2 ** 18,
  2 ** 18 + 5,
  2 ** 27 - 1,
  2 ** 27,
  2 ** 36,
  2 ** 36 + 1,
];

/** Frames that guest leaves map: some aligned for large pages, some outside memory. */
export const frames: readonly number[] = [
  600,
  601,
  602,
  1100,
  1024,
  1025,
  2048,
  2560,
  3072,
  3584,
  0,
  4095,
  2 ** 18,
  100_000,
  0xf000_0000,
];

/** Guest frames whose nested entries are rewritten: guest tables, data, large pages. */
export const gfns: readonly number[] = [1, 2, 3, 5, 8, 13, 21, 34, 600, 601, 1024, 2048, 2 ** 18];

export interface EntryValue {
  /** `link` and `leaf` as it should be, `astray` links the table of another page. */
  readonly kind: "link" | "leaf" | "astray" | "absent";
  /** XORed into the usual flags. */
  readonly flags: number;
  /** ORed into the high half: NX and reserved bits. */
  readonly high: number;
  /** Index into `frames` or `pages`. */
  readonly pick: number;
}

/** A tree by number: two guest trees, then EPT, then NPT. */
export type TreeNumber = 0 | 1 | 2 | 3;

export interface Configuration {
  readonly nested: "none" | "ept" | "ept-ad" | "npt";
  readonly nestedLevels: PagingLevels;
  readonly levels: PagingLevels;
  readonly writeProtect: boolean;
  readonly globalPages: boolean;
  readonly vpid: number;
}

export type Op =
  | {
      readonly op: "run";
      /** `page` is an index into `pages`, `kind` the top bits of the high column. */
      readonly accesses: readonly { readonly page: number; readonly kind: number }[];
      /** Does silicon drop what a fault or violation drops, and the hypervisor drain the PML buffer? */
      readonly reported: boolean;
    }
  | {
      readonly op: "entry";
      readonly tree: TreeNumber;
      readonly page: number;
      readonly level: number;
      readonly value: EntryValue;
    }
  | {
      readonly op: "clear";
      readonly tree: TreeNumber;
      readonly page: number;
      readonly level: number;
      /** Flags that go. */
      readonly flags: number;
    }
  | {
      readonly op: "table";
      readonly tree: TreeNumber;
      readonly page: number;
      readonly level: number;
      readonly to: "zeros" | "copy";
    }
  | { readonly op: "rebuild" }
  | {
      readonly op: "invalidate";
      readonly scope: "page" | "fault" | "page-of" | "violation";
      readonly page: number;
      readonly gfn: number;
      readonly pcid: number;
    }
  | {
      readonly op: "flush";
      readonly scope: "context" | "non-global" | "linear" | "nested";
      readonly pcid: number;
    }
  | { readonly op: "root"; readonly tree: 0 | 1; readonly pcid: number }
  | { readonly op: "configure"; readonly configuration: Configuration }
  | { readonly op: "pml"; readonly to: "on" | "off" | "reset" }
  /** Fills the PML buffer until `left` entries are free. */
  | { readonly op: "fill-pml"; readonly left: number };

const guestFrames = 4096;
const isNestedTree = (tree: TreeNumber) => tree >= 2;

export class Scenario {
  readonly memory = new PhysicalMemory({ guestFrames, tableFrames: 256, slotsMax: 128 });
  readonly mmu: Mmu;
  readonly ledger = createLedger();
  readonly walkLengths = new Float64Array(walkLengthMax + 1);
  configuration: Configuration;
  private readonly placedAt: number;
  /** Frame of the table of `tree` at `level` around `page`: key "tree level page-span". */
  private readonly tables = new Map<string, number>();
  private readonly pmlBuffer: Pfn;
  private root: { readonly tree: 0 | 1; readonly pcid: number } = { tree: 0, pcid: 0 };
  private nextGuestTable = 1;

  /** `placedAt` is XORed into a guest frame's number to give its host frame under nested paging. */
  constructor(factory: MmuFactory, preset: Preset, start: Configuration, placedAt: number) {
    this.mmu = factory(this.memory, preset);
    this.configuration = start;
    this.placedAt = placedAt;
    this.pmlBuffer = this.memory.allocateTable();
    this.rebuild();
    this.configure(start);
    this.mmu.resetPml();
  }

  /** The host frame that holds a table of `tree`. */
  pfnOf(tree: TreeNumber, frame: number): Pfn {
    return (isNestedTree(tree) ? frame : frame ^ this.placedAt) as Pfn;
  }

  /** All trees as at the start. */
  rebuild(): void {
    const usual: EntryValue = { kind: "leaf", flags: 0, high: 0, pick: 0 };
    const link: EntryValue = { ...usual, kind: "link" };
    const fill = (tree: TreeNumber, page: number, pick: number) => {
      for (let level = 5; level > 1; level--) this.setEntry(tree, page, level, link);
      this.setEntry(tree, page, 1, { ...usual, pick });
    };
    pages.forEach((page, i) => {
      fill(0, page, i % 12);
      fill(1, page, (i * 5 + 3) % 12);
    });
    for (const tree of [2, 3] as const) {
      for (let gfn = 0; gfn < guestFrames; gfn += gfn % 512 < 64 ? 1 : 8) fill(tree, gfn, 0);
      for (const gfn of [...frames.slice(0, 12), ...gfns]) fill(tree, gfn, 0);
    }
  }

  configure(configuration: Configuration): void {
    this.configuration = configuration;
    const { nested, nestedLevels, levels, writeProtect, globalPages, vpid } = configuration;
    const registers = { ...registersOf(levels), writeProtect, globalPages };
    this.mmu.configure(
      nested === "none" ? null : this.nestedPaging(nested, nestedLevels),
      registers,
      vpid,
    );
    this.loadRoot(this.root);
  }

  loadRoot(root: { readonly tree: 0 | 1; readonly pcid: number }): void {
    this.root = root;
    const frame = this.tableFrame(root.tree, 0, this.configuration.levels);
    this.mmu.setRoot({ frame, pcid: root.pcid });
  }

  setPml(to: "on" | "off" | "reset"): void {
    if (to === "reset") this.mmu.resetPml();
    else this.mmu.setPml(to === "on" ? this.pmlBuffer : null);
  }

  setEntry(tree: TreeNumber, page: number, level: number, value: EntryValue): void {
    const { pfn, index } = this.entryAt(tree, page, level);
    const leafFlags = tree === 2 ? rwx : userWritable;
    const flags = (leafFlags ^ value.flags) | (level === 1 || value.kind !== "leaf" ? 0 : PS);
    if (value.kind === "absent") this.memory.write(pfn, index, 0, 0);
    else
      this.memory.writeEntry(pfn, index, this.target(tree, page, level, value), flags, value.high);
  }

  clear(tree: TreeNumber, page: number, level: number, flags: number): void {
    const { pfn, index } = this.entryAt(tree, page, level);
    const low = this.memory.readLow(pfn, index);
    this.memory.write(pfn, index, low & ~flags, this.memory.readHigh(pfn, index));
  }

  /** A table becomes zeros, or the copy of the first table of its level. */
  overwriteTable(tree: TreeNumber, page: number, level: number, to: "zeros" | "copy"): void {
    const pfn = this.entryAt(tree, page, level).pfn;
    if (to === "zeros") this.memory.zero(pfn);
    else this.memory.copy(pfn, this.entryAt(tree, 0, level).pfn);
  }

  /** Stores to page 0 with its nested D bit cleared each time. */
  fillPml(left: number): void {
    const { configuration, root } = this;
    this.rebuild();
    this.configure({ ...configuration, nested: "ept-ad", levels: 4, nestedLevels: 4 });
    this.loadRoot({ tree: 0, pcid: 0 });
    this.setPml("on");
    this.mmu.low[0] = 0;
    this.mmu.high[0] = 0x8000_0000 | 0;
    for (let i = 0; i < 600 && this.mmu.pmlIndex() >= left; i++) {
      this.clear(2, frames[0]!, 1, EPT_D);
      this.mmu.flushNested();
      this.mmu.run(0, 1);
    }
    this.configure(configuration);
    this.loadRoot(root);
  }

  private nestedPaging(kind: "ept" | "ept-ad" | "npt", levels: PagingLevels): NestedPaging {
    return {
      root: this.tableFrame(kind === "npt" ? 3 : 2, 0, levels) as Pfn,
      levels,
      format: kind === "npt" ? "npt" : "ept",
      accessedDirty: kind !== "ept",
    };
  }

  private entryAt(tree: TreeNumber, page: number, level: number): { pfn: Pfn; index: number } {
    const pfn = this.pfnOf(tree, this.tableFrame(tree, page, level));
    return { pfn, index: indexAt(page, level) };
  }

  /** What an entry points to. */
  private target(
    tree: TreeNumber,
    page: number,
    level: number,
    { kind, pick }: EntryValue,
  ): number {
    if (level > 1 && kind === "link") return this.tableFrame(tree, page, level - 1);
    if (level > 1 && kind === "astray") return this.tableFrame(tree, pages[pick]!, level - 1);
    if (!isNestedTree(tree)) return frames[pick]!;
    // Nested leaves map guest frames to where the tables are, or (pick is odd) to the wrong place.
    const start = page - (page % pagesPerEntry(level));
    return (start ^ this.placedAt) + (pick % 2) * pagesPerEntry(level);
  }

  private tableFrame(tree: TreeNumber, page: number, level: number): number {
    const key = `${tree} ${level} ${Math.floor(page / (pagesPerEntry(level) * 512))}`;
    const known = this.tables.get(key);
    if (known !== undefined) return known;
    const fresh = isNestedTree(tree) ? this.memory.allocateTable() : this.nextGuestTable;
    if (!isNestedTree(tree)) this.nextGuestTable += 1;
    this.tables.set(key, fresh);
    return fresh;
  }
}
