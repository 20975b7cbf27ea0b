/**
 * coIOMMU's guest: IO pages are its own frames, and a table shared with the hypervisor says which a device may be using.
 *
 * An entry per frame: how many mappings it has, and whether it is pinned. Mapping asks the hypervisor for the pages that are not,
 * all of a call in one request; unmapping counts down and never exits.
 *
 *     31     30       29 ... 0
 *     PINNED ACCESSED count
 *
 * Model: 8 bytes per entry, of which 4 are used; nobody else stores to it meanwhile. Bias: none.
 *
 * Source: Tian 2020 (coIOMMU, USENIX ATC), section 4.2 "DMA Tracking Table".
 */
import { assert } from "../../machine/assert.ts";
import type { FrameRun } from "./core.ts";
import { type DmaApi, type DmaObserver, type DmaSegment, nobody } from "./dma.ts";
import type { DmaRights } from "./entry-formats.ts";
import type { TableMemory } from "./table-memory.ts";

const PINNED = 0x8000_0000 | 0;
const ACCESSED = 0x4000_0000;
const COUNT = 0x3fff_ffff;
const entriesEach = 512;

/** The tracking table, which guest and hypervisor share. */
export class TrackingTable {
  private readonly memory: TableMemory;
  /** Leaf pages by the group of frames that they track. */
  private readonly leaves = new Map<number, number>();

  constructor(memory: TableMemory) {
    this.memory = memory;
  }

  read(gfn: number): { count: number; isPinned: boolean; isAccessed: boolean } {
    const leaf = this.leaves.get(Math.floor(gfn / entriesEach));
    const word = leaf === undefined ? 0 : this.memory.readLow(leaf, gfn % entriesEach);
    return {
      count: word & COUNT,
      isPinned: (word & PINNED) !== 0,
      isAccessed: (word & ACCESSED) !== 0,
    };
  }

  write(
    gfn: number,
    { count, isPinned, isAccessed }: { count: number; isPinned: boolean; isAccessed: boolean },
  ): void {
    const key = Math.floor(gfn / entriesEach);
    let leaf = this.leaves.get(key);
    if (leaf === undefined) {
      leaf = this.memory.allocateFrame();
      this.leaves.set(key, leaf);
    }
    const word = count | (isPinned ? PINNED : 0) | (isAccessed ? ACCESSED : 0);
    this.memory.write(leaf, gfn % entriesEach, word, 0);
  }

  /** Frames with an entry. */
  *tracked(): Iterable<number> {
    for (const key of this.leaves.keys()) {
      for (let i = 0; i < entriesEach; i++) yield key * entriesEach + i;
    }
  }
}

export class CoIommuDma implements DmaApi {
  observer: DmaObserver = nobody;
  requests = 0;
  private readonly table: TrackingTable;
  private readonly pin: (gfns: readonly number[]) => void;

  /** `pin` is the request to the hypervisor: an exit. */
  constructor(table: TrackingTable, pin: (gfns: readonly number[]) => void) {
    this.table = table;
    this.pin = pin;
  }

  map(runs: readonly FrameRun[], rights: DmaRights): readonly DmaSegment[] {
    const unpinned: number[] = [];
    for (const { frame, pages } of runs) {
      for (let gfn = frame; gfn < frame + pages; gfn++) {
        const entry = this.table.read(gfn);
        this.table.write(gfn, { ...entry, count: entry.count + 1, isAccessed: true });
        if (!entry.isPinned) unpinned.push(gfn);
      }
    }
    if (unpinned.length > 0) {
      this.requests += 1;
      this.pin(unpinned);
    }
    for (const run of runs) this.observer.mapped(run.frame, [run], rights);
    return runs.map(({ frame, pages }) => ({ page: frame, pages }));
  }

  unmap(segments: readonly DmaSegment[]): void {
    for (const { page, pages } of segments) {
      this.observer.cleared(page, pages);
      for (let gfn = page; gfn < page + pages; gfn++) {
        const entry = this.table.read(gfn);
        assert(entry.count > 0, () => `coiommu: frame ${gfn} is not mapped`);
        this.table.write(gfn, { ...entry, count: entry.count - 1 });
      }
    }
  }
}
