/**
 * Which guest pages devices have written, for a migration: three ways to know.
 *
 * By second-level D bits: silicon sets them, the host takes them leaf by leaf and flushes the IOTLB, or a cached translation would
 * write on without a mark. A leaf of 2 MiB is 512 pages. By the device: it logs the IO pages that it writes, in ranges named
 * before. By neither: whatever is pinned may be written, so all of it is dirty.
 *
 * There is no log by faults: a write that faults is lost.
 *
 * Source: Linux Documentation/userspace-api/iommufd.rst (IOMMU_HWPT_GET_DIRTY_BITMAP), drivers/vfio
 * VFIO_DEVICE_FEATURE_DMA_LOGGING, vfio_iommu_type1.c `update_user_bitmap`; VT-d 3.7.2 "Second-stage accessed and dirty".
 */
import { pagesPerEntry } from "../machine/address.ts";
import { secondLevel, SL_PS } from "../machine/formats/second-level.ts";
import { writePasid } from "../machine/iommu/pasid-tables.ts";
import { IoTable } from "../linux/iommu/io-table.ts";
import { ridPasid, ScalableIommu } from "../linux/iommu/scalable.ts";
import { type DmaMachine, hostCapabilities } from "./dma-machine.ts";

const hostDomain = 1;

/**
 * A guest without an IOMMU whose memory lies in second-level tables with D bits: on, they cost nothing until they are taken.
 */
export class DirtyBitsHost {
  /** Entries that were looked at by all collections. */
  entriesScanned = 0;
  private readonly machine: DmaMachine;
  private readonly iommu: ScalableIommu;
  private readonly table: IoTable;

  constructor(machine: DmaMachine) {
    this.machine = machine;
    this.iommu = new ScalableIommu(machine.iommu, machine.hostTables);
    const { levels, largeLevels, coherent } = hostCapabilities;
    const shape = { levels, largeLevels, coherent, format: "second-level" } as const;
    this.table = new IoTable(machine.hostTables, shape);
    for (let gfn = 0; gfn < machine.pages.frames;) gfn += this.mapRun(gfn);
    for (const { requestor } of machine.devices) {
      const { pasidTable } = this.iommu.pathOf(requestor.source);
      writePasid(machine.hostTables, pasidTable, ridPasid, {
        translation: "second-level",
        domain: hostDomain,
        first: 0,
        firstLevels: 4,
        second: this.table.root,
        secondLevels: levels,
        secondMarks: true,
      });
    }
    this.iommu.invalidatePasid(hostDomain);
  }

  private mapRun(gfn: number): number {
    const { pages } = this.machine;
    const frame = pages.pin(gfn);
    let length = 1;
    while (gfn + length < pages.frames && pages.place(gfn + length) === frame + length) {
      pages.pin(gfn + length);
      length += 1;
    }
    this.table.map({ page: gfn, frame, pages: length, rights: "read-write" }, () => undefined);
    return length;
  }

  /** Guest pages whose D bits were set since the last time; the bits are clear afterwards, everywhere. */
  collect(): Set<number> {
    const found = new Set<number>();
    const levels = hostCapabilities.levels;
    this.collectBelow({ table: this.table.root, level: levels, page: 0 }, found);
    this.flush();
    return found;
  }

  private collectBelow(
    { table, level, page }: { table: number; level: number; page: number },
    into: Set<number>,
  ): void {
    const memory = this.machine.hostTables;
    const span = pagesPerEntry(level);
    for (let index = 0; index < secondLevel.entries; index++) {
      const low = memory.readLow(table, index);
      this.entriesScanned += 1;
      if (!secondLevel.isPresent(low)) continue;
      const first = page + index * span;
      const high = memory.readHigh(table, index);
      if (level > 1 && (low & SL_PS) === 0) {
        const child = { table: secondLevel.frameOf(low, high), level: level - 1, page: first };
        this.collectBelow(child, into);
      } else if ((low & secondLevel.dirty) !== 0) {
        memory.write(table, index, low & ~secondLevel.dirty, high);
        for (let i = 0; i < span; i++) into.add(first + i);
      }
    }
  }

  /** Cached translations would write on without setting D again. */
  flush(): void {
    this.iommu.submitter.submit({
      kind: "iotlb",
      scope: "domain",
      domain: hostDomain,
      page: 0,
      mask: 0,
      leavesOnly: false,
    });
  }
}

/** What a device that logs its writes is told to log, and what it has. */
export class DeviceDirtyLog {
  private readonly start: number;
  private readonly end: number;
  private readonly logged = new Set<number>();

  /** IO pages [start, end), named when logging starts: others are not logged. */
  constructor(start: number, end: number) {
    this.start = start;
    this.end = end;
  }

  wrote(page: number): void {
    if (page >= this.start && page < this.end) this.logged.add(page);
  }

  /** IO pages since the last time; `gfnOf` says what the guest has there now, null: nothing any more. */
  collect(gfnOf: (page: number) => number | null): Set<number> {
    return this.take(this.logged, gfnOf);
  }

  /** As `collect`, of [page, page + pages) alone: it is about to be unmapped, and nobody could say later what was there. */
  collectIn(page: number, pages: number, gfnOf: (page: number) => number | null): Set<number> {
    const inside = [...this.logged].filter((at) => at >= page && at < page + pages);
    return this.take(inside, gfnOf);
  }

  private take(pages: Iterable<number>, gfnOf: (page: number) => number | null): Set<number> {
    const taken = [...pages];
    for (const page of taken) this.logged.delete(page);
    return new Set(taken.map(gfnOf).filter((gfn) => gfn !== null));
  }
}

/** Everything that is pinned: all that VFIO type 1 can say by itself. */
export function pinnedIsDirty({ pages }: DmaMachine): Set<number> {
  const found = new Set<number>();
  for (let gfn = 0; gfn < pages.frames; gfn++) if (pages.isPinned(gfn)) found.add(gfn);
  return found;
}
