/**
 * rIOMMU: a flat table per ring in place of a tree, and one cached entry per ring with the next one fetched ahead.
 *
 * A device goes through a ring in order, so a new translation takes the place of the last one by itself: software invalidates
 * once at the end of a burst. An IO page names a ring, a place in it and a page of the run of frames that is there.
 *
 *     IO page    28   26 25         10 9      0
 *                 ring  | entry       | page
 *
 * Model: entries map runs of whole pages, where the paper's have byte offset and size. Bias: none in counts; protection is
 * coarser.
 *
 * Source: Malka 2015 (rIOMMU: Efficient IOMMU for I/O Devices that Employ Ring Buffers, ASPLOS), section 4.
 */
import { entriesPerTable, type Pfn } from "../address.ts";
import { frameOf } from "../formats/x86-entry.ts";
import type { IommuCounts } from "./counters.ts";
import type { DmaKind } from "./iommu.ts";
import type { QueueMemory } from "./queue-memory.ts";

/** Rights of an entry; none: not valid. */
export const RING_R = 1;
export const RING_W = 2;

/** Pages of the longest run, entries of the longest ring. */
export const ringRunMax = 1024;
const entriesMax = 65_536;

export const ringPage = (ring: number, entry: number) => (ring * entriesMax + entry) * ringRunMax;

interface Cached {
  readonly entry: number;
  readonly frame: number;
  readonly pages: number;
  readonly rights: number;
}

interface Ring {
  readonly tables: readonly number[];
  current: Cached | null;
  ahead: Cached | null;
}

export class Riommu {
  private readonly memory: QueueMemory;
  private readonly counts: IommuCounts;
  /** By device, then by ring. */
  private readonly rings = new Map<number, Map<number, Ring>>();

  constructor(memory: QueueMemory, counts: IommuCounts) {
    this.memory = memory;
    this.counts = counts;
  }

  /** A ring of `source`: its table's pages, one after another. */
  setRing(source: number, ring: number, tables: readonly number[]): void {
    const own = this.rings.get(source) ?? new Map<number, Ring>();
    own.set(ring, { tables, current: null, ahead: null });
    this.rings.set(source, own);
  }

  /** The end of a burst: nothing of the ring is cached any more. */
  invalidate(source: number, ring: number): void {
    this.counts.ledger.tailWrites += 1;
    const known = this.rings.get(source)?.get(ring);
    if (known === undefined) return;
    known.current = null;
    known.ahead = null;
  }

  /** One request; the frame that it reached, or null when it was refused. */
  access(source: number, page: number, kind: DmaKind): Pfn | null {
    const { ledger } = this.counts;
    ledger.requests += 1;
    const entry = Math.floor(page / ringRunMax);
    const ring = this.rings.get(source)?.get(Math.floor(entry / entriesMax));
    const cached = ring === undefined ? null : this.find(ring, entry % entriesMax);
    const needed = kind === "write" ? RING_W : RING_R;
    const offset = page % ringRunMax;
    if (cached === null || (cached.rights & needed) === 0 || offset >= cached.pages) {
      ledger.faults += 1;
      return null;
    }
    return (cached.frame + offset) as Pfn;
  }

  private find(ring: Ring, entry: number): Cached | null {
    const length = ring.tables.length * entriesPerTable;
    if (entry >= length) return null;
    if (ring.current?.entry === entry) return ring.current;
    if (ring.ahead?.entry === entry) {
      ring.current = ring.ahead;
    } else {
      this.counts.ledger.tlbMisses += 1;
      ring.current = this.fetch(ring.tables, entry);
    }
    ring.ahead = this.fetch(ring.tables, (entry + 1) % length);
    return ring.current;
  }

  /** One memory reference. What is not valid is not cached. */
  private fetch(tables: readonly number[], entry: number): Cached | null {
    this.counts.ledger.referencesFirst += 1;
    const table = tables[Math.floor(entry / entriesPerTable)] ?? 0;
    const low = this.memory.readLow(table, entry % entriesPerTable);
    const rights = low & (RING_R | RING_W);
    if (rights === 0) return null;
    const high = this.memory.readHigh(table, entry % entriesPerTable);
    return { entry, frame: frameOf(low, high), pages: high >>> 12, rights };
  }
}
