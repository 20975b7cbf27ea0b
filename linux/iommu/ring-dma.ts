/**
 * A driver's mappings in rIOMMU's rings, one ring per direction: a store per run of frames to map, one to unmap, an invalidation
 * at the end of a burst.
 *
 * Model: a burst ends when time passes. Bias: none, drivers poll between bursts.
 *
 * Source: Malka 2015 (rIOMMU, ASPLOS), section 4 "Software".
 */
import { entriesPerTable } from "../../machine/address.ts";
import { assert } from "../../machine/assert.ts";
import { type Riommu, ringPage, ringRunMax, RING_R, RING_W } from "../../machine/iommu/riommu.ts";
import type { DmaClock } from "./clock.ts";
import type { FrameRun } from "./core.ts";
import { type DmaApi, type DmaObserver, type DmaSegment, nobody } from "./dma.ts";
import type { DmaRights } from "./entry-formats.ts";
import type { LoadCount } from "./iova.ts";
import type { TableMemory } from "./table-memory.ts";

/** Pages of a ring's table: 16,384 entries. */
const tablePages = 32;
const length = tablePages * entriesPerTable;

type EntryState = "free" | "live" | "stale";

/** One ring: where its entries are, and which are in use. */
class EntryRing {
  readonly index: number;
  readonly tables: readonly number[];
  readonly states: EntryState[] = Array.from({ length }, () => "free");
  stale: { readonly entry: number; readonly segment: DmaSegment }[] = [];
  next = 0;

  constructor(index: number, memory: TableMemory) {
    this.index = index;
    this.tables = Array.from({ length: tablePages }, () => memory.allocateFrame());
  }
}

const ringOf: Readonly<Record<DmaRights, number>> = { "read-write": 0, write: 1, read: 2 };

export class RingDma implements DmaApi {
  observer: DmaObserver = nobody;
  private readonly riommu: Riommu;
  private readonly memory: TableMemory & LoadCount;
  private readonly clock: DmaClock;
  private readonly source: number;
  private readonly rings: readonly EntryRing[];
  /** Ring and entry by first IO page. */
  private readonly live = new Map<number, { readonly ring: EntryRing; readonly entry: number }>();

  constructor(
    riommu: Riommu,
    memory: TableMemory & LoadCount,
    { clock, source }: { readonly clock: DmaClock; readonly source: number },
  ) {
    this.riommu = riommu;
    this.memory = memory;
    this.clock = clock;
    this.source = source;
    this.rings = [0, 1, 2].map((index) => new EntryRing(index, memory));
    for (const { index, tables } of this.rings) riommu.setRing(source, index, tables);
  }

  map(runs: readonly FrameRun[], rights: DmaRights): readonly DmaSegment[] {
    const ring = this.rings[ringOf[rights]];
    assert(ring !== undefined, "ring: a direction without ring");
    return runs.flatMap(({ frame, pages }) => {
      const parts: DmaSegment[] = [];
      for (let done = 0; done < pages; done += ringRunMax) {
        const run = { frame: frame + done, pages: Math.min(ringRunMax, pages - done) };
        parts.push(this.mapRun(ring, run, rights));
      }
      return parts;
    });
  }

  private mapRun(ring: EntryRing, run: FrameRun, rights: DmaRights): DmaSegment {
    const entry = this.take(ring);
    ring.states[entry] = "live";
    const flags = rights === "read" ? RING_R : RING_R | RING_W;
    const high = Math.floor(run.frame / 0x10_0000) | (run.pages << 12);
    this.store(ring, entry, (run.frame << 12) | flags, high);
    const page = ringPage(ring.index, entry);
    this.live.set(page, { ring, entry });
    this.observer.mapped(page, [run], rights);
    return { page, pages: run.pages };
  }

  unmap(segments: readonly DmaSegment[]): void {
    for (const segment of segments) {
      const { page, pages } = segment;
      const known = this.live.get(page);
      assert(known !== undefined, () => `ring: IO page ${page} is not mapped`);
      const { ring, entry } = known;
      this.live.delete(page);
      this.observer.cleared(page, pages);
      this.store(ring, entry, 0, 0);
      ring.states[entry] = "stale";
      if (ring.stale.length === 0) this.clock.after(1, () => this.endBurst(ring));
      ring.stale.push({ entry, segment });
    }
  }

  /** The next free entry; a ring that has come round to what it has just given up ends its burst first. */
  private take(ring: EntryRing): number {
    for (let tries = 0; tries < length; tries++) {
      // Where the ring is, and whether that entry is free.
      this.memory.loads += 2;
      const entry = ring.next;
      ring.next = (entry + 1) % length;
      if (ring.states[entry] === "stale") this.endBurst(ring);
      if (ring.states[entry] === "free") return entry;
    }
    throw new Error("bug: ring: no entry left");
  }

  private endBurst(ring: EntryRing): void {
    const { stale } = ring;
    if (stale.length === 0) return;
    ring.stale = [];
    this.riommu.invalidate(this.source, ring.index);
    for (const { entry, segment } of stale) {
      ring.states[entry] = "free";
      this.observer.forgotten(segment.page, segment.pages);
    }
  }

  private store(ring: EntryRing, entry: number, low: number, high: number): void {
    const table = ring.tables[Math.floor(entry / entriesPerTable)] ?? 0;
    this.memory.write(table, entry % entriesPerTable, low, high);
  }
}
