/**
 * Tables of any shape and format written by hand, and what an access to them counts: for tests of silicon.
 */
import { entriesPerTable, type Pfn } from "../address.ts";
import { createLedger, walkLengthMax } from "../counters.ts";
import { type EntryFormat, orderAt } from "../formats/format.ts";
import type { PhysicalMemory } from "../memory.ts";
import type { Mmu } from "../mmu.ts";
import type { Shape } from "../stages.ts";

/** Where a tree's frames come from and where they lie. */
export interface Room {
  readonly memory: PhysicalMemory;
  /** The first of `frames` frames that follow one another, at a multiple of their number. */
  readonly allocate: (frames: number) => number;
  readonly place: (frame: number) => Pfn;
}

/**
 * Frames of the host's, from `first` on; the bytes of those that follow one another do so too, or come as they are written.
 */
export function hostRoom(memory: PhysicalMemory, first: number, inRuns = false): Room {
  let next = first;
  return {
    memory,
    allocate(frames) {
      const start = Math.ceil(next / frames) * frames;
      next = start + frames;
      for (let i = 0; inRuns && i < frames; i++) memory.slot((start + i) as Pfn);
      return start;
    },
    place: (frame) => frame as Pfn,
  };
}

/** What a path is written with. */
export interface Path {
  readonly shape: Shape;
  readonly link: number;
  readonly leaf: number;
  /** Level of the leaf; absent: 1. */
  readonly leafLevel?: number;
  /** Levels whose entries lead to tables of two levels in one. */
  readonly folds?: readonly number[];
}

/** log2 of the entries of the frame. */
const frameBits = Math.log2(entriesPerTable);

/** A tree of tables in one format, written where `room` says a frame of it lies. */
export class Tables {
  readonly root: number;
  private readonly format: EntryFormat;
  private readonly room: Room;

  constructor(format: EntryFormat, root: number, room: Room) {
    this.format = format;
    this.root = root;
    this.room = room;
  }

  /** Stores an entry; `high` are flags of its high half. */
  set(table: number, index: number, frame: number, flags: number, high = 0): void {
    const { frameShift } = this.format;
    const low = (frame << frameShift) | flags;
    const { memory, place } = this.room;
    memory.write(place(table), index, low, (frame >>> (32 - frameShift)) | high);
  }

  /** The path to `page`, tables made where there are none; the frame of every table on it, from the root down. */
  map(
    page: number,
    frame: number,
    { shape, link, leaf, leafLevel = 1, folds = [] }: Path,
  ): number[] {
    const { format } = this;
    const { memory, place, allocate } = this.room;
    const path: number[] = [];
    let bits = format.indexBits + shape.rootExtraBits;
    let first = this.root;
    for (let level = shape.levels; ;) {
      const at = Math.floor(page / 2 ** orderAt(format, level));
      const index = at % entriesPerTable;
      const table = first + (Math.floor(at / entriesPerTable) % 2 ** (bits - frameBits));
      path.push(table);
      if (level === leafLevel) {
        this.set(table, index, frame, leaf);
        return path;
      }
      const isFolded = folds.includes(level);
      bits = isFolded ? 2 * format.indexBits : format.indexBits;
      const low = memory.readLow(place(table), index);
      const high = memory.readHigh(place(table), index);
      if (format.isPresent(low)) {
        first = format.frameOf(low, high);
      } else {
        first = allocate(2 ** (bits - frameBits));
        this.set(table, index, first, link, isFolded ? format.foldHigh : 0);
      }
      level -= isFolded ? 2 : 1;
    }
  }
}

/** What the last accesses counted. */
export function counted(mmu: Mmu) {
  const ledger = createLedger();
  mmu.collect(ledger, new Float64Array(walkLengthMax + 1));
  const { walkReferencesGuest, walkReferencesNested, accessedBitsSet } = ledger;
  return { guest: walkReferencesGuest, nested: walkReferencesNested, accessed: accessedBitsSet };
}

/** Reads from the page; was it done? */
export function load(mmu: Mmu, page: number): boolean {
  mmu.low[0] = page << 12;
  mmu.high[0] = Math.floor(page / 2 ** 20);
  return mmu.run(0, 1) === 1;
}
