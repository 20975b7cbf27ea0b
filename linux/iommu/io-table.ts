/**
 * A domain's tables as Linux's Intel driver keeps them, second-level ones or first-level: how it finds an entry, maps, clears,
 * and when it frees a table.
 *
 * Clearing single pages leaves empty tables behind; a table goes only with a range that covers all of it, or when a large
 * leaf takes its place.
 *
 * Source: Linux 6.1 drivers/iommu/intel/iommu.c `pfn_to_dma_pte`, `__domain_mapping`, `switch_to_super_page`,
 * `dma_pte_clear_level`, `dma_pte_free_level`, `hardware_largepage_caps`.
 */
import { entriesPerTable, indexAt, pagesPerEntry } from "../../machine/address.ts";
import { frameOf } from "../../machine/formats/x86-entry.ts";
import { SL_PS, SL_R, SL_W } from "../../machine/formats/second-level.ts";
import { type DmaRights, type EntryFlags, ioFormats, type IoFormat } from "./entry-formats.ts";
import type { TableMemory } from "./table-memory.ts";

const present = SL_R | SL_W;
const none = { low: 0, high: 0 };
/** Entries in a cache line: what one flush of a walker that does not snoop reaches. */
const entriesPerLine = 8;

export interface DmaMapping {
  /** First IO virtual page, first frame, and how many of both. */
  readonly page: number;
  readonly frame: number;
  readonly pages: number;
  readonly rights: DmaRights;
}

interface Entry {
  readonly table: number;
  readonly index: number;
  readonly level: number;
  readonly low: number;
}

/** What a domain's tables were asked to do, for whoever compares schemes. */
export interface TableCounts {
  /** Stores of 8 bytes into tables. */
  stores: number;
  /** Cache lines flushed for a walker that does not snoop. */
  linesFlushed: number;
}

export class IoTable {
  readonly root: number;
  readonly levels: number;
  readonly counts: TableCounts = { stores: 0, linesFlushed: 0 };
  private readonly memory: TableMemory;
  private readonly largeLevels: readonly number[];
  private readonly coherent: boolean;
  private readonly flags: EntryFlags;

  constructor(
    memory: TableMemory,
    shape: {
      readonly levels: number;
      readonly largeLevels: readonly number[];
      readonly coherent: boolean;
      readonly format: IoFormat;
    },
  ) {
    this.memory = memory;
    this.flags = ioFormats[shape.format];
    this.levels = shape.levels;
    this.largeLevels = shape.largeLevels;
    this.coherent = shape.coherent;
    this.root = memory.allocateFrame();
  }

  /** The entry that translates `page`, a leaf or the first one that is not present. */
  private find(page: number): Entry {
    for (let level = this.levels, table = this.root; ; level--) {
      const entry = this.entryAt(table, page, level);
      const ends = level === 1 || (entry.low & SL_PS) !== 0 || (entry.low & present) === 0;
      if (ends) return entry;
      table = this.childOf(entry);
    }
  }

  /** The entry for `page` at `level`, tables above it made where there are none. */
  private make(page: number, level: number): Entry {
    for (let at = this.levels, table = this.root; ; at--) {
      const entry = this.entryAt(table, page, at);
      if (at === level) return entry;
      if ((entry.low & present) !== 0) {
        table = this.childOf(entry);
        continue;
      }
      table = this.memory.allocateFrame();
      this.store(entry, table, this.flags.link);
      this.flushLines(1);
    }
  }

  /** Frame behind `page`, or null: what a software walk says. */
  translate(page: number): number | null {
    const entry = this.find(page);
    if ((entry.low & present) === 0) return null;
    return this.childOf(entry) + (page % pagesPerEntry(entry.level));
  }

  /**
   * Enters the leaves of a run of frames, the largest that fit. `onSwitch` is told of each range whose table a large leaf
   * replaces, at once: the IOMMU may still walk it.
   */
  map(
    { page, frame, pages, rights }: DmaMapping,
    onSwitch: (page: number, pages: number) => void,
  ): void {
    let done = 0;
    while (done < pages) {
      const level = this.levelFor(page + done, frame + done, pages - done);
      const span = pagesPerEntry(level);
      const first = this.make(page + done, level);
      const inTable = entriesPerTable - first.index;
      const leaves = Math.min(inTable, Math.floor((pages - done) / span));
      if (level > 1) this.switchToLarge(first, page + done, leaves, onSwitch);
      const leaf = this.flags.leaf[rights];
      const flags = { low: leaf.low | (level > 1 ? SL_PS : 0), high: leaf.high };
      for (let i = 0; i < leaves; i++) {
        this.store({ ...first, index: first.index + i }, frame + done + i * span, flags);
      }
      this.flushRun(first.index, leaves);
      done += leaves * span;
    }
  }

  /** Level of the largest leaf that a run may start with. */
  private levelFor(page: number, frame: number, pages: number): number {
    let level = 1;
    while (this.largeLevels.includes(level + 1)) {
      const span = pagesPerEntry(level + 1);
      if (page % span !== 0 || frame % span !== 0 || pages < span) break;
      level += 1;
    }
    return level;
  }

  /** Frees the tables that stand where large leaves are about to be. */
  private switchToLarge(
    first: Entry,
    page: number,
    leaves: number,
    onSwitch: (page: number, pages: number) => void,
  ): void {
    const span = pagesPerEntry(first.level);
    for (let i = 0; i < leaves; i++) {
      const entry = this.entryIn(first.table, first.index + i, first.level);
      if ((entry.low & present) === 0) continue;
      this.store(entry, 0, none);
      this.flushLines(1);
      if ((entry.low & SL_PS) === 0) this.freeTree(this.childOf(entry), first.level - 1);
      onSwitch(page + i * span, span);
    }
  }

  /**
   * Size in pages of what is unmapped when `pages` are asked to be: all of a large leaf that they begin in. Zero when
   * the walk ends above that.
   */
  unmappable(page: number, pages: number): number {
    return Math.max(pages, pagesPerEntry(this.find(page).level));
  }

  /**
   * Clears the leaves of [page, page + pages). Returns the tables that went with them: to be freed once the IOMMU has
   * forgotten them.
   */
  clear(page: number, pages: number): number[] {
    const detached: number[] = [];
    this.clearBelow(
      this.root,
      this.levels,
      { start: page, last: page + pages - 1, page },
      detached,
    );
    return detached;
  }

  private clearBelow(
    table: number,
    level: number,
    { start, last, page: from }: { start: number; last: number; page: number },
    detached: number[],
  ): void {
    const span = pagesPerEntry(level);
    let first = -1;
    let end = -1;
    let page = Math.max(start, from);
    let index = indexAt(page, level);
    while (index < entriesPerTable && page <= last) {
      const entryPage = page - (page % span);
      const entry = this.entryIn(table, index, level);
      if ((entry.low & present) !== 0) {
        if (start <= entryPage && last >= entryPage + span - 1) {
          if (level > 1 && (entry.low & SL_PS) === 0) {
            this.collectTree(this.childOf(entry), level - 1, detached);
          }
          this.store(entry, 0, none);
          if (first < 0) first = index;
          end = index + 1;
        } else if (level > 1 && (entry.low & SL_PS) === 0) {
          this.clearBelow(
            this.childOf(entry),
            level - 1,
            { start, last, page: entryPage },
            detached,
          );
        }
      }
      page = entryPage + span;
      index += 1;
    }
    if (first >= 0) this.flushRun(first, end - first);
  }

  /** `table` and all below it, into `into`. */
  private collectTree(table: number, level: number, into: number[]): void {
    into.push(table);
    if (level === 1) return;
    for (let index = 0; index < entriesPerTable; index++) {
      const entry = this.entryIn(table, index, level);
      if ((entry.low & present) === 0 || (entry.low & SL_PS) !== 0) continue;
      this.collectTree(this.childOf(entry), level - 1, into);
    }
  }

  private freeTree(table: number, level: number): void {
    const tables: number[] = [];
    this.collectTree(table, level, tables);
    this.free(tables);
  }

  /** Gives tables back that nobody can reach any more. */
  free(tables: readonly number[]): void {
    for (const table of tables) this.memory.freeFrame(table);
  }

  /** Gives everything back; the domain is gone. */
  destroy(): void {
    this.freeTree(this.root, this.levels);
  }

  private entryAt(table: number, page: number, level: number): Entry {
    return this.entryIn(table, indexAt(page, level), level);
  }

  private entryIn(table: number, index: number, level: number): Entry {
    return { table, index, level, low: this.memory.readLow(table, index) };
  }

  private childOf({ table, index, low }: Entry): number {
    return frameOf(low, this.memory.readHigh(table, index));
  }

  private store(
    { table, index }: Entry,
    frame: number,
    { low, high }: { readonly low: number; readonly high: number },
  ): void {
    this.counts.stores += 1;
    this.memory.write(table, index, (frame << 12) | low, Math.floor(frame / 0x10_0000) | high);
  }

  private flushRun(index: number, entries: number): void {
    const lines =
      Math.floor((index + entries - 1) / entriesPerLine) - Math.floor(index / entriesPerLine);
    this.flushLines(lines + 1);
  }

  private flushLines(lines: number): void {
    if (!this.coherent) this.counts.linesFlushed += lines;
  }
}
