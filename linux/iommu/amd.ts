/**
 * Linux's driver of an AMD IOMMU: each command has a tail write of its own.
 *
 * Where the IOMMU may cache what is not present (NpCache, which emulation sets), mapping flushes too, and a range is flushed
 * in naturally aligned powers of two, so that a hypervisor is not sent over entries that did not change.
 *
 * Source: Linux 6.1 drivers/iommu/amd/iommu.c `__iommu_queue_command_sync`, `domain_flush_pages`, `domain_flush_np_cache`,
 * `amd_iommu_iotlb_sync`.
 */
import { assert } from "../../machine/assert.ts";
import { pagesPerEntry } from "../../machine/address.ts";
import {
  type AmdCommand,
  type AmdCommandBuffer,
  amdBufferLength,
  encodeCommand,
} from "../../machine/iommu/amd-commands.ts";
import type { Gather, IommuDomain } from "./core.ts";
import { type DmaMapping, IoTable } from "./io-table.ts";
import type { TableMemory } from "./table-memory.ts";

/** More pages than any address has bits for: all of a domain. */
const everything = { page: 0, order: 51 };

export class AmdIommu {
  readonly memory: TableMemory;
  readonly npCache: boolean;
  private readonly buffer: AmdCommandBuffer;
  private readonly ring: number;
  private readonly semaphore: number;
  private tail = 0;
  private waits = 0;

  constructor(buffer: AmdCommandBuffer, memory: TableMemory, npCache: boolean) {
    this.buffer = buffer;
    this.memory = memory;
    this.npCache = npCache;
    this.ring = memory.allocateFrame();
    this.semaphore = memory.allocateFrame();
    buffer.setBase(this.ring);
  }

  command(what: AmdCommand): void {
    const { memory, ring, tail } = this;
    const [a, b, c, d] = encodeCommand(what);
    memory.write(ring, 2 * tail, a, b);
    memory.write(ring, 2 * tail + 1, c, d);
    this.tail = (tail + 1) % amdBufferLength;
    this.buffer.writeTail(this.tail);
  }

  /** Returns when everything before it is done. */
  wait(): void {
    this.waits += 1;
    this.command({ kind: "wait", frame: this.semaphore, index: 0, value: this.waits });
    const done = this.memory.readLow(this.semaphore, 0) === this.waits;
    assert(done, "amd iommu: the wait was not done");
  }
}

export class AmdDomain implements IommuDomain {
  readonly sizes: readonly number[];
  private readonly iommu: AmdIommu;
  private readonly id: number;
  private readonly table: IoTable;

  constructor(iommu: AmdIommu, id: number) {
    this.iommu = iommu;
    this.id = id;
    const largeLevels = [2, 3];
    this.sizes = [1, ...largeLevels.map(pagesPerEntry)];
    const shape = { levels: 3, largeLevels, coherent: true, format: "amd-v1" } as const;
    this.table = new IoTable(iommu.memory, shape);
  }

  map(mapping: DmaMapping): void {
    this.table.map(mapping, (page, pages) => this.flush(page, pages));
  }

  syncMap(page: number, pages: number): void {
    if (this.iommu.npCache) this.flush(page, pages);
  }

  unmap(page: number, pages: number, gather: Gather): number {
    const size = this.table.unmappable(page, pages);
    gather.add(page, size);
    gather.tables.push(...this.table.clear(page, size));
    return size;
  }

  sync({ start, end, tables }: Gather): void {
    this.flush(start, end - start);
    this.table.free(tables);
  }

  flushAll(): void {
    this.iommu.command({ kind: "pages", domain: this.id, ...everything });
    this.iommu.wait();
  }

  release(tables: readonly number[]): void {
    this.table.free(tables);
  }

  translate(page: number): number | null {
    return this.table.translate(page);
  }

  private flush(page: number, pages: number): void {
    const { iommu, id } = this;
    const end = page + pages;
    if (iommu.npCache) {
      for (let at = page; at < end;) {
        let order = 0;
        while (at % 2 ** (order + 1) === 0 && at + 2 ** (order + 1) <= end) order += 1;
        iommu.command({ kind: "pages", domain: id, page: at, order });
        at += 2 ** order;
      }
    } else {
      // One command that covers it.
      let order = 0;
      while (Math.floor(page / 2 ** order) !== Math.floor((end - 1) / 2 ** order)) order += 1;
      iommu.command({ kind: "pages", domain: id, page: page - (page % 2 ** order), order });
    }
    iommu.wait();
  }
}
