/**
 * Linux's driver of an Intel IOMMU: domains with second-level tables, devices in them, and what it tells the IOMMU's
 * caches when.
 *
 * Caching mode (only emulation sets it) makes mapping invalidate too, and makes a new context entry cost two submissions.
 *
 * Source: Linux 6.1 drivers/iommu/intel/iommu.c `intel_iommu_iotlb_sync_map`, `intel_iommu_tlb_sync`,
 * `domain_context_mapping_one`, `domain_context_clear_one`, `iommu_flush_dev_iotlb`.
 */
import { pagesPerEntry } from "../../machine/address.ts";
import { assert } from "../../machine/assert.ts";
import {
  type ContextEntry,
  readRoot,
  writeContext,
  writeRoot,
} from "../../machine/iommu/context-tables.ts";
import {
  GCMD_FLUSH_WRITES,
  GCMD_SET_ROOT,
  GCMD_TRANSLATE,
  type IommuPort,
} from "../../machine/iommu/registers.ts";
import type { Gather, IommuDomain } from "./core.ts";
import { InvalidationSubmitter, rangeInvalidation } from "./invalidation.ts";
import { type DmaMapping, IoTable } from "./io-table.ts";
import type { TableMemory } from "./table-memory.ts";

/** Mask of all that a device may have: MAX_AGAW_PFN_WIDTH. */
const allPages = 52;

/** A device as the driver knows it. */
export interface IommuDevice {
  /** Bus, device and function in 16 bits: what its requests carry. */
  readonly source: number;
  /** Has it a TLB of its own, which unmapping must empty too? */
  readonly ats: boolean;
}

export class IntelIommu {
  readonly port: IommuPort;
  readonly memory: TableMemory;
  readonly submitter: InvalidationSubmitter;
  readonly root: number;
  /** 0 tags what is not present under caching mode. */
  private nextDomain = 1;

  constructor(port: IommuPort, memory: TableMemory) {
    this.port = port;
    this.memory = memory;
    this.root = memory.allocateFrame();
    port.write("RTADDR", this.root);
    port.write("GCMD", GCMD_SET_ROOT);
    this.submitter = new InvalidationSubmitter(port, memory);
    this.submitter.submit({ kind: "context", scope: "global", domain: 0, source: 0 });
    this.submitter.submit({
      kind: "iotlb",
      scope: "global",
      domain: 0,
      page: 0,
      mask: 0,
      leavesOnly: false,
    });
    port.write("GCMD", GCMD_TRANSLATE);
  }

  createDomain(): IntelDomain {
    const id = this.nextDomain;
    this.nextDomain += 1;
    return new IntelDomain(this, id);
  }

  setContext(source: number, entry: ContextEntry): void {
    const { memory, root, port } = this;
    let table = readRoot(memory, root, source);
    if (table === null) {
      table = memory.allocateFrame();
      writeRoot(memory, root, source, table);
    }
    writeContext(memory, table, source, entry);
    if (port.capabilities.cachingMode) {
      // What was not present is cached under domain 0.
      this.submitter.submit({ kind: "context", scope: "device", domain: 0, source });
      this.flushDomain(entry.domain);
    } else {
      this.flushWriteBuffer();
    }
  }

  clearContext(source: number, domain: number): void {
    const table = readRoot(this.memory, this.root, source);
    assert(table !== null, () => `intel iommu: device ${source} has no context table`);
    writeContext(this.memory, table, source, null);
    this.submitter.submit({ kind: "context", scope: "device", domain, source });
    this.flushDomain(domain);
  }

  flushDomain(domain: number): void {
    this.submitter.submit({
      kind: "iotlb",
      scope: "domain",
      domain,
      page: 0,
      mask: 0,
      leavesOnly: false,
    });
  }

  /** Entries became present and no invalidation follows. */
  flushWriteBuffer(): void {
    if (this.port.capabilities.writeBufferFlush) this.port.write("GCMD", GCMD_FLUSH_WRITES);
  }
}

export class IntelDomain implements IommuDomain {
  readonly id: number;
  readonly table: IoTable;
  readonly sizes: readonly number[];
  private readonly iommu: IntelIommu;
  private readonly devices = new Set<IommuDevice>();

  constructor(iommu: IntelIommu, id: number) {
    this.iommu = iommu;
    this.id = id;
    const { levels, largeLevels, coherent } = iommu.port.capabilities;
    this.sizes = [1, ...largeLevels.map(pagesPerEntry)];
    this.table = new IoTable(iommu.memory, {
      levels,
      largeLevels,
      coherent,
      format: "second-level",
    });
  }

  attach(device: IommuDevice): void {
    this.devices.add(device);
    this.iommu.setContext(device.source, {
      type: device.ats ? "translate-ats" : "translate",
      table: this.table.root,
      levels: this.table.levels,
      domain: this.id,
    });
  }

  detach(device: IommuDevice): void {
    this.devices.delete(device);
    this.iommu.clearContext(device.source, this.id);
    if (!device.ats) return;
    this.flushDevice(device.source, 0, allPages);
  }

  map(mapping: DmaMapping): void {
    // A table went: what walks have cached of it goes now, not at the end of the call.
    this.table.map(mapping, (page, pages) =>
      this.flushRange({ page, pages, leavesOnly: false }, "unmap"),
    );
  }

  syncMap(page: number, pages: number): void {
    if (this.iommu.port.capabilities.cachingMode) {
      this.flushRange({ page, pages, leavesOnly: false }, "map");
    } else {
      this.iommu.flushWriteBuffer();
    }
  }

  unmap(page: number, pages: number, gather: Gather): number {
    const size = this.table.unmappable(page, pages);
    // First, because it may sync what was gathered before: this range's tables must outlive this range's invalidation.
    gather.add(page, size);
    gather.tables.push(...this.table.clear(page, size));
    return size;
  }

  sync(gather: Gather): void {
    const { start: page, end, tables } = gather;
    const leavesOnly = tables.length === 0;
    this.flushRange({ page, pages: end - page, leavesOnly }, "unmap");
    this.table.free(tables);
  }

  flushAll(): void {
    this.iommu.flushDomain(this.id);
    for (const { ats, source } of this.devices) if (ats) this.flushDevice(source, 0, allPages);
  }

  /** 2^`mask` pages of the TLB in a device. */
  private flushDevice(source: number, page: number, mask: number): void {
    // Its size is in its low bits, so it is aligned to it.
    const start = page - (page % 2 ** mask);
    this.iommu.submitter.submit({ kind: "device-tlb", source, page: start, mask });
  }

  release(tables: readonly number[]): void {
    this.table.free(tables);
  }

  translate(page: number): number | null {
    return this.table.translate(page);
  }

  private flushRange(
    range: { page: number; pages: number; leavesOnly: boolean },
    why: "map" | "unmap",
  ): void {
    const { submitter, port } = this.iommu;
    const { cachingMode, maskMax } = port.capabilities;
    submitter.submit(rangeInvalidation(this.id, range, maskMax));
    // No device has cached what was not present.
    if (cachingMode && why === "map") return;
    let mask = Math.ceil(Math.log2(range.pages));
    const last = range.page + range.pages - 1;
    while (Math.floor(range.page / 2 ** mask) !== Math.floor(last / 2 ** mask)) mask += 1;
    for (const { ats, source } of this.devices) {
      // The IOTLB went first: a device that asks again must not be answered from it.
      if (ats) this.flushDevice(source, range.page, mask);
    }
  }
}
