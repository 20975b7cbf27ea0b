/**
 * A machine small enough to reason about, for tests of translation hardware: tables built by hand.
 *
 * Guest frame g lies at host frame g without nested paging and at g ^ 1024 with it, so mixing the two up
 * shows; 2 MiB alignment survives. All guest frames are mapped by the nested tables.
 */
import { indexAt, type PageOrder, type PagingLevels, type Pfn } from "../address.ts";
import { createLedger, type Ledger, walkLengthMax } from "../counters.ts";
import { EPT_R, EPT_W, EPT_X, P, PS, U, W } from "../entry.ts";
import { frameOf } from "../formats/x86-entry.ts";
import type { MmuFactory } from "../machine.ts";
import { PhysicalMemory } from "../memory.ts";
import type { Mmu } from "../mmu.ts";
import { type Preset, presets } from "../presets.ts";
import { eptStage, nptStage, oneStage, type Paging, type Stage, twoStages } from "../stages.ts";
import { fastMmu } from "../fast.ts";
import { plainMmu } from "./mmu.ts";

/** The implementations of translation hardware that have to be the same. */
export const units: readonly (readonly [name: string, factory: MmuFactory])[] = [
  ["plain", plainMmu],
  ["fast", fastMmu],
];

/** Caches of a few entries each, so that they fill, collide and evict within a short test. */
export const tinyPreset: Preset = {
  ...presets.textbook,
  title: "Caches of a few entries",
  l1Data: { "4k": { sets: 2, ways: 2 }, "2m": { sets: 1, ways: 2 }, "1g": { sets: 1, ways: 1 } },
  l1Code: { "4k": { sets: 2, ways: 2 }, "2m": { sets: 1, ways: 2 } },
  stlb: { sets: 4, ways: 3 },
  stlb2m: true,
  stlb1g: { sets: 1, ways: 2 },
  pwc: {
    2: { sets: 2, ways: 2 },
    3: { sets: 1, ways: 3 },
    4: { sets: 1, ways: 2 },
    5: { sets: 1, ways: 1 },
  },
  nestedPwc: {
    2: { sets: 2, ways: 1 },
    3: { sets: 1, ways: 2 },
    4: { sets: 1, ways: 1 },
    5: { sets: 1, ways: 1 },
  },
  nestedTlb: { sets: 2, ways: 3 },
};

/** A table tree under construction. `frame` numbers are the tree's own; `place` says where they lie. */
export interface TableTree {
  readonly root: number;
  readonly levels: PagingLevels;
  /** Flags of an entry that points to a table. */
  readonly linkFlags: number;
  allocate(): number;
  place(frame: number): Pfn;
}

/** Where the entry at `level` for `page` is; tables above it are made on the way. */
function entryAt(
  memory: PhysicalMemory,
  tree: TableTree,
  page: number,
  level: number,
): { readonly pfn: Pfn; readonly index: number } {
  let pfn = tree.place(tree.root);
  for (let above = tree.levels; above > level; above--) {
    const index = indexAt(page, above);
    if (memory.readLow(pfn, index) === 0) {
      memory.writeEntry(pfn, index, tree.allocate(), tree.linkFlags);
    }
    pfn = tree.place(frameOf(memory.readLow(pfn, index), memory.readHigh(pfn, index)));
  }
  return { pfn, index: indexAt(page, level) };
}

export interface Mapping {
  /** Level of the leaf: 1, 2 or 3. PS is added above 1. */
  readonly level?: number;
  readonly flags?: number;
  readonly nx?: number;
}

export interface NestedShape {
  readonly levels: PagingLevels;
  readonly format: "ept" | "npt";
  readonly accessedDirty: boolean;
  /** Size of the pages that map guest frames. */
  readonly order: PageOrder;
}

const guestFrames = 4096;
export const rwx = EPT_R | EPT_W | EPT_X;
export const userWritable = P | W | U;

export class TestMachine {
  readonly memory = new PhysicalMemory({ guestFrames, tableFrames: 256, slotsMax: 128 });
  readonly mmu: Mmu;
  readonly guest: TableTree;
  /** Null without nested paging. */
  readonly nestedTree: TableTree | null;
  readonly nested: Stage | null;
  readonly walkLengths = new Float64Array(walkLengthMax + 1);
  private nextGuestTable = 1;

  constructor(factory: MmuFactory, preset: Preset, levels: PagingLevels, shape?: NestedShape) {
    this.mmu = factory(this.memory, preset);
    this.guest = {
      root: this.allocateGuestTable(),
      levels,
      linkFlags: userWritable,
      allocate: () => this.allocateGuestTable(),
      place: (frame) => this.hostOf(frame),
    };
    this.nested = null;
    this.nestedTree = null;
    if (shape !== undefined) {
      const { format, accessedDirty, order } = shape;
      const flags = format === "ept" ? rwx : userWritable;
      const root = this.memory.allocateTable();
      this.nested =
        format === "ept"
          ? eptStage(root, shape.levels, accessedDirty)
          : nptStage(root, shape.levels);
      this.nestedTree = {
        root,
        levels: shape.levels,
        linkFlags: flags,
        allocate: () => this.memory.allocateTable(),
        place: (frame) => frame as Pfn,
      };
      for (let gfn = 0; gfn < guestFrames; gfn += 2 ** order) {
        this.mapNested(gfn, this.hostOf(gfn), { level: order / 9 + 1, flags });
      }
    }
    this.configure({ levels });
    this.mmu.setRoot({ frame: this.guest.root, pcid: 0 });
  }

  /** Another configuration than the one that the machine starts with, which is also what is not said. */
  configure(
    to: { levels?: PagingLevels; nested?: Stage | null; vpid?: number } & Partial<Paging>,
  ): void {
    const { levels = 4, nested = this.nested, vpid = 1 } = to;
    const stages = nested === null ? oneStage(levels) : twoStages(nested)(levels);
    this.mmu.configure({ writeProtect: true, globalPages: true, stages, ...to }, vpid);
  }

  hostOf(frame: number): Pfn {
    return (this.nested === null ? frame : frame ^ 1024) as Pfn;
  }

  /** A guest leaf. */
  map(vpn: number, frame: number, mapping: Mapping = {}): void {
    setLeaf(this.memory, this.guest, vpn, frame, { flags: userWritable, ...mapping });
  }

  mapNested(gfn: number, pfn: number, mapping: Mapping = {}): void {
    setLeaf(this.memory, this.nestedTree!, gfn, pfn, { flags: rwx, ...mapping });
  }

  /** Low half of the guest's entry. */
  guestLow(vpn: number, level = 1): number {
    const { pfn, index } = entryAt(this.memory, this.guest, vpn, level);
    return this.memory.readLow(pfn, index);
  }

  /** Frame of the guest's table of 4 KiB leaves for the page. */
  guestTable(vpn: number): number {
    const { pfn, index } = entryAt(this.memory, this.guest, vpn, 2);
    return frameOf(this.memory.readLow(pfn, index), this.memory.readHigh(pfn, index));
  }

  nestedLow(gfn: number, level = 1): number {
    const { pfn, index } = entryAt(this.memory, this.nestedTree!, gfn, level);
    return this.memory.readLow(pfn, index);
  }

  /** Performs one access; `kind` is an OR of the column bits. True when it completed. */
  access(vpn: number, kind = 0): boolean {
    this.mmu.low[0] = vpn << 12;
    this.mmu.high[0] = Math.floor(vpn / 2 ** 20) | kind;
    return this.mmu.run(0, 1) === 1;
  }

  /** What happened since the last call. */
  counts(): Ledger {
    const counts = createLedger();
    this.mmu.collect(counts, this.walkLengths);
    return counts;
  }

  /** References of the walk that this access makes, as [guest, nested]; it must complete. */
  cost(vpn: number, kind = 0): readonly [number, number] {
    this.counts();
    if (!this.access(vpn, kind)) return [-1, -1];
    const { walkReferencesGuest, walkReferencesNested } = this.counts();
    return [walkReferencesGuest, walkReferencesNested];
  }

  private allocateGuestTable(): number {
    this.nextGuestTable += 1;
    return this.nextGuestTable;
  }
}

function setLeaf(
  memory: PhysicalMemory,
  tree: TableTree,
  page: number,
  frame: number,
  { level = 1, flags = 0, nx = 0 }: Mapping,
): void {
  const { pfn, index } = entryAt(memory, tree, page, level);
  memory.writeEntry(pfn, index, frame, flags | (level > 1 ? PS : 0), nx);
}
