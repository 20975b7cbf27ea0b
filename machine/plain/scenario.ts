/**
 * One unit of translation hardware with the tables that its random life is about.
 *
 * Two guest trees and a tree per nested format, 5 levels each (a 4-level root is the table below), over
 * few pages. Entries are rewritten at all levels without regard for what caches hold: a guest that never
 * flushes is legal for silicon.
 */
import { type Gfn, indexAt, pagesPerEntry, type PagingLevels, type Pfn } from "../address.ts";
import { createLedger, walkLengthMax } from "../counters.ts";
import { A, D, PS, W } from "../entry.ts";
import { highHalf, lowHalf } from "../formats/x86-entry.ts";
import type { Isa } from "../isa/isa.ts";
import { x86Isa } from "../isa/x86.ts";
import type { MmuFactory } from "../machine.ts";
import { PhysicalMemory } from "../memory.ts";
import { type Mmu, STORE } from "../mmu.ts";
import { EPT_PW_HIGH, EPT_SPP_HIGH, EPT_SSS_HIGH, EPT_XU } from "../formats/ept.ts";
import { HLAT_RESTART } from "../formats/x86.ts";
import {
  eptByModeStage,
  eptPagingWriteStage,
  eptShadowStackStage,
  eptStage,
  eptSubPageStage,
  eptViewStage,
  nptStage,
  type Stage,
} from "../stages.ts";
import { rwx, userWritable } from "./fixture.ts";
import { SubPages } from "./hand-made-sub-pages.ts";
import { type EntryWriter, type Writers, writersFor } from "./scenario-entries.ts";
import {
  type Configuration,
  type EntryValue,
  farPick,
  frames,
  framesInside,
  gfns,
  hasStacks,
  mappedGfns,
  type Op,
  type Start,
  type TreeNumber,
  variety,
} from "./operation.ts";

const guestFrames = 4096;
/** What operations call reserved. */
const reservedHigh = 0x0008_0000;
/** A nested root of four tables, as RISC-V's Sv39x4 has and Arm's stage 2 may have. */
const wideLevels = 3;
const rootExtraBits = 2;
const isNestedTree = (tree: TreeNumber) => tree >= 2;

export class Scenario {
  readonly memory = new PhysicalMemory({
    guestFrames,
    tableFrames: 256,
    slotsMax: 128,
    nodes: 2,
  });
  readonly mmu: Mmu;
  readonly ledger = createLedger();
  readonly walkLengths = new Float64Array(walkLengthMax + 1);
  readonly pages: readonly number[];
  private readonly isa: Isa;
  private readonly writers: Writers;
  private configuration: Configuration;
  private readonly placedAt: number;
  /** Frame of the table of `tree` at `level` around `page`: key "tree level page-span". */
  private readonly tables = new Map<string, number>();
  private readonly pmlBuffer: Pfn;
  private readonly subPages: SubPages;
  private root: { readonly tree: 0 | 1; readonly pcid: number } = { tree: 0, pcid: 0 };
  private nextGuestTable = 1;
  private view: 2 | 3 = 2;

  constructor(factory: MmuFactory, { preset, isa, configuration, placedAt, pages: few }: Start) {
    this.isa = isa;
    this.writers = writersFor(isa);
    this.mmu = factory(this.memory, preset);
    this.pages = few;
    this.configuration = configuration;
    this.placedAt = placedAt;
    this.pmlBuffer = this.memory.allocateTable();
    this.subPages = new SubPages(this.memory);
    this.rebuild();
    this.configure(configuration);
    this.mmu.resetPml();
  }

  /** The host frame that holds a table of `tree`. */
  pfnOf(tree: TreeNumber, frame: number): Pfn {
    return (isNestedTree(tree) ? frame : frame ^ this.placedAt) as Pfn;
  }

  /** All trees as at the start. */
  rebuild(): void {
    const usual: EntryValue = { kind: "leaf", flags: 0, high: 0, pick: 0 };
    const fill = (tree: TreeNumber, page: number, leaf: EntryValue) => {
      for (let level = 5; level > 1; level--) {
        this.setEntry(tree, page, level, { ...usual, kind: "link" });
      }
      this.setEntry(tree, page, 1, leaf);
    };
    this.pages.forEach((page, i) => {
      for (const tree of [0, 1] as const) {
        // The two trees map a page to different frames and disagree about which pages are global.
        const [flags, high] = variety[(i + tree * 3) % variety.length]!;
        const pick = i % 4 === 3 ? farPick : (i * 5 + tree * 7) % framesInside;
        fill(tree, page, { ...usual, flags, high, pick });
      }
    });
    for (const gfn of mappedGfns) {
      // Most tables take what walks write by the paging-write bit, some by nothing else; only one format knows it.
      // Of those that W refuses, some ask the sub-page permissions.
      const isReadOnly = gfn % 8 === 5 || gfn % 8 === 0;
      const asks = (gfn % 8 === 0 ? EPT_SPP_HIGH : 0) | (gfn % 4 === 0 ? 0 : EPT_SSS_HIGH);
      const [flags, high] = [isReadOnly ? W : 0, asks | (gfn % 3 === 0 ? 0 : EPT_PW_HIGH)];
      this.subPages.set(gfn, 1, "vector", gfn % 16 === 0 ? ~0x0101_0101 : gfn);
      fill(2, gfn, { ...usual, flags, high });
      fill(3, gfn, usual);
    }
  }

  configure(configuration: Configuration): void {
    this.configuration = configuration;
    const { nested, asked, nestedLevels, levels, writeProtect, globalPages, vpid } = configuration;
    const first = { ...this.isa.stage(levels), shadowStacks: this.hasStacks };
    // Tables that are asked first are x86-64's alone.
    const askedFirst =
      asked === "nobody" || this.isa !== x86Isa
        ? null
        : {
            root: this.tableFrame(1, 0, levels) as Gfn,
            restartBit: HLAT_RESTART,
            upperHalfOnly: asked === "upper-half",
          };
    const stages =
      nested === "none"
        ? [first]
        : [{ ...first, through: 1, askedFirst }, this.nestedStage(nested, nestedLevels)];
    this.mmu.configure({ stages, writeProtect, globalPages }, vpid);
    this.loadRoot(this.root);
  }

  get hasStacks(): boolean {
    return this.isa === x86Isa && hasStacks(this.configuration);
  }

  loadRoot(root: { readonly tree: 0 | 1; readonly pcid: number }): void {
    this.root = root;
    const frame = this.tableFrame(root.tree, 0, this.configuration.levels);
    this.mmu.setRoot({ frame, pcid: root.pcid });
  }

  /** Where there is one view alone, none. */
  switchView(tree: 2 | 3): void {
    const { nested, nestedLevels } = this.configuration;
    if (nested !== "ept-views" || this.isa !== x86Isa) return;
    this.view = tree;
    this.mmu.switchView(this.tableFrame(tree, 0, nestedLevels) as Pfn);
  }

  setPml(to: "on" | "off" | "reset"): void {
    if (to === "reset") this.mmu.resetPml();
    else this.mmu.setPml(to === "on" ? this.pmlBuffer : null);
  }

  setEntry(tree: TreeNumber, page: number, level: number, value: EntryValue): void {
    const { pfn, index } = this.entryAt(tree, page, level);
    const { isa, memory } = this;
    // Where software keeps A and D, what lacks them is of no use. Bit 10 is for mode-based execute control alone.
    const marked = isa.marks === "software" ? A | D : 0;
    const leafFlags = tree === 2 && isa === x86Isa ? rwx | EPT_XU : userWritable | marked;
    const isLeaf = level === 1 || value.kind === "leaf";
    const flags = (leafFlags ^ value.flags) | (level > 1 && isLeaf ? PS : 0);
    const frame = this.target(tree, page, level, value);
    const low = lowHalf(frame, flags);
    const high = highHalf(frame, value.high);
    const writer = this.writerOf(tree);
    // The same high bits are NX and reserved in both formats, or what another ISA has in their place.
    const reserved = (high & reservedHigh) === 0 ? 0 : writer.reservedHigh;
    if (value.kind === "absent") return memory.write(pfn, index, 0, 0);
    const [ownLow, ownHigh] = isLeaf ? writer.leaf(low, high) : writer.link(low, high);
    memory.write(pfn, index, ownLow, ownHigh | reserved);
  }

  /** As `setEntry`, in the guest tree that was loaded last. */
  setCurrentEntry(page: number, level: number, value: EntryValue): void {
    this.setEntry(this.root.tree, page, level, value);
  }

  clear(tree: TreeNumber, page: number, level: number, flags: number): void {
    const { pfn, index } = this.entryAt(tree, page, level);
    const before = [this.memory.readLow(pfn, index), this.memory.readHigh(pfn, index)] as const;
    this.memory.write(pfn, index, ...this.writerOf(tree).without(before, flags));
  }

  /** A table becomes zeros, or the copy of the first table of its level. */
  overwriteTable(tree: TreeNumber, page: number, level: number, to: "zeros" | "copy"): void {
    const pfn = this.entryAt(tree, page, level).pfn;
    if (to === "zeros") this.memory.zero(pfn);
    else this.memory.copy(pfn, this.entryAt(tree, 0, level).pfn);
  }

  setLines({ gfn, level, value, lines }: Op & { readonly op: "lines" }): void {
    this.subPages.set(gfns[gfn]!, level, value, lines);
  }

  /** Stores to one page, its nested D bit cleared each time. */
  fillPml(left: number): void {
    const { configuration, root } = this;
    this.rebuild();
    this.configure({ ...configuration, nested: "ept-ad", levels: 4, nestedLevels: 4 });
    this.loadRoot({ tree: 0, pcid: 0 });
    this.setPml("on");
    const vpn = this.pages[0]!;
    this.mmu.low[0] = vpn << 12;
    this.mmu.high[0] = Math.floor(vpn / 2 ** 20) | STORE;
    for (let i = 0; i < 600 && this.mmu.pmlIndex() >= left; i++) {
      this.clear(2, frames[0]!, 1, this.writers.nested.dirty);
      this.mmu.flushNested();
      this.mmu.run(0, 1);
    }
    this.configure(configuration);
    this.loadRoot(root);
  }

  private nestedStage(kind: Exclude<Configuration["nested"], "none">, levels: PagingLevels): Stage {
    const tree = kind === "npt" ? 3 : kind === "ept-views" ? this.view : 2;
    const root = this.tableFrame(tree, 0, levels) as Pfn;
    const { second } = this.writers;
    if (second !== null) {
      const [marks, refusesUnmarked] = [kind !== "ept", kind === "ept"];
      const stage = { ...eptStage(root, levels, marks), refusesUnmarked, format: second };
      if (levels === 4) return stage;
      const wide = this.tableFrame(tree, 0, wideLevels) as Pfn;
      return { ...stage, root: wide, shape: { levels: wideLevels, rootExtraBits } };
    }
    if (kind === "ept-pw" || kind === "ept-pw-ad") {
      return eptPagingWriteStage(root, levels, kind === "ept-pw-ad");
    }
    if (kind === "ept-spp" || kind === "ept-spp-ad") {
      const [accessedDirty, subPages] = [kind === "ept-spp-ad", this.subPages.root];
      return eptSubPageStage(root, levels, { accessedDirty, subPages });
    }
    if (kind === "ept-views") return eptViewStage(root, levels, true);
    if (kind === "ept-sss") return eptShadowStackStage(root, levels, true);
    if (kind === "ept-mbec") return eptByModeStage(root, levels, true);
    return kind === "npt" ? nptStage(root, levels) : eptStage(root, levels, kind !== "ept");
  }

  private writerOf(tree: TreeNumber): EntryWriter {
    return isNestedTree(tree) ? this.writers.nested : this.writers.guest;
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
    if (level > 1 && kind === "astray")
      return this.tableFrame(tree, this.pages[pick % this.pages.length]!, level - 1);
    const frame = frames[pick]!;
    if (!isNestedTree(tree)) return frame - (frame % pagesPerEntry(level));
    // Nested leaves map guest frames to where the tables are, or (pick is odd) to the wrong place.
    const start = (page - (page % pagesPerEntry(level))) % guestFrames;
    return (start ^ this.placedAt) + (pick % 2) * pagesPerEntry(level);
  }

  private tableFrame(tree: TreeNumber, page: number, level: number): number {
    const key = `${tree} ${level} ${Math.floor(page / (pagesPerEntry(level) * 512))}`;
    const known = this.tables.get(key);
    if (known !== undefined) return known;
    const fresh = isNestedTree(tree) ? this.nestedTable(tree, page, level) : this.nextGuestTable;
    if (!isNestedTree(tree)) this.nextGuestTable += 1;
    this.tables.set(key, fresh);
    return fresh;
  }

  /** Those of a root's level come by four, one after another. */
  private nestedTable(tree: TreeNumber, page: number, level: number): number {
    const part = Math.floor(page / (pagesPerEntry(level) * 512));
    if (level !== wideLevels) return this.memory.allocateTable();
    const first = part - (part % 2 ** rootExtraBits);
    const start = this.memory.allocateTables(2 ** rootExtraBits)!;
    for (let i = 0; i < 2 ** rootExtraBits; i++)
      this.tables.set(`${tree} ${level} ${first + i}`, start + i);
    return start + (part - first);
  }
}
