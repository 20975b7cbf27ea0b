/**
 * Linux's driver of an AMD IOMMU: a device table, domains with tables of their own, and each command with a tail write of its own. A device with
 * a TLB (ATS) is told after the IOMMU, and one wait serves both.
 *
 * Where the IOMMU may cache what is not present (NpCache, which emulation sets), mapping flushes too, and a range is flushed
 * in naturally aligned powers of two, so that a hypervisor is not sent over entries that did not change.
 *
 * Source: Linux 6.1 drivers/iommu/amd/iommu.c `__iommu_queue_command_sync`, `domain_flush_pages`, `domain_flush_np_cache`,
 * `amd_iommu_iotlb_sync`, `do_attach`, `do_detach`, `device_flush_iotlb`,
 * init.c `init_device_table_dma`, `amd_iommu_update_and_flush_device_table`.
 */
import { assert } from "../../machine/assert.ts";
import { type AmdCommand, encodeCommand, everyPage } from "../../machine/iommu/amd/commands.ts";
import { ringLength } from "../../machine/iommu/ring.ts";
import { devicesPerPage, writeDevice } from "../../machine/iommu/amd/device-table.ts";
import { AMD_READ, AMD_WRITE } from "../../machine/iommu/amd/entries.ts";
import {
  type AmdPort,
  deviceTableBase,
  type DeviceTablePlace,
} from "../../machine/iommu/amd/iommu.ts";
import { amdPageSizes, AmdTable } from "./amd-table.ts";
import type { Gather, IommuDomain } from "./core.ts";
import type { IommuDevice } from "./intel.ts";
import type { DmaMapping } from "./io-table.ts";
import type { TableMemory } from "./table-memory.ts";

const everything = { page: 0, order: everyPage };
/** Pages of a device table for the bus numbers 0 and 1. */
export const deviceTablePages = 4;
/** DEFAULT_PGTABLE_LEVEL. */
const firstLevels = 3;

export class AmdIommu {
  readonly port: AmdPort;
  readonly memory: TableMemory;
  readonly devices: DeviceTablePlace;
  private readonly ring: number;
  private readonly semaphore: number;
  private tail = 0;
  private waits = 0;
  private domains = 0;

  /** `devices` is where the device table is to lie: zeroed frames in a row. */
  constructor(port: AmdPort, memory: TableMemory, devices: DeviceTablePlace) {
    this.port = port;
    this.memory = memory;
    this.devices = devices;
    this.ring = memory.allocateFrame();
    this.semaphore = memory.allocateFrame();
    // Until it has a domain, a device reaches nothing.
    for (let source = 0; source < devices.pages * devicesPerPage; source++) {
      writeDevice(memory, devices.frame, source, null);
    }
    port.write("DEVTAB", deviceTableBase(devices.frame, devices.pages));
    port.write("CMDBASE", this.ring);
    port.write("EVTBASE", memory.allocateFrame());
    port.write("CONTROL", 1);
  }

  createDomain(): AmdDomain {
    this.domains += 1;
    return new AmdDomain(this, this.domains);
  }

  command(what: AmdCommand): void {
    const { memory, ring, tail } = this;
    const [a, b, c, d] = encodeCommand(what);
    memory.write(ring, 2 * tail, a, b);
    memory.write(ring, 2 * tail + 1, c, d);
    this.tail = (tail + 1) % ringLength;
    this.port.write("CMDTAIL", this.tail);
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
  readonly sizes = amdPageSizes;
  readonly id: number;
  private readonly iommu: AmdIommu;
  private readonly table: AmdTable;
  private readonly devices = new Map<number, IommuDevice>();

  constructor(iommu: AmdIommu, id: number) {
    this.iommu = iommu;
    this.id = id;
    this.table = new AmdTable(iommu.memory, firstLevels, {
      replaced: () => this.flushAll(),
      grown: () => {
        for (const device of this.devices.values()) this.enter(device);
        this.flushAll();
      },
    });
  }

  attach(device: IommuDevice): void {
    this.devices.set(device.source, device);
    this.enter(device);
    this.flushAll();
  }

  detach(device: IommuDevice): void {
    this.devices.delete(device.source);
    const { iommu } = this;
    writeDevice(iommu.memory, iommu.devices.frame, device.source, null);
    this.flushDevice(device);
    this.flushAll();
  }

  /** What is known of the device itself, and what it knows. */
  private flushDevice({ source, ats }: IommuDevice): void {
    this.iommu.command({ kind: "device", source });
    if (ats) this.iommu.command({ kind: "device-tlb", source, ...everything });
  }

  private enter(device: IommuDevice): void {
    const { iommu, id, table } = this;
    const { root, levels } = table;
    const rights = AMD_READ | AMD_WRITE;
    const { source, ats } = device;
    const entry = { root, levels, domain: id, rights, ats };
    writeDevice(iommu.memory, iommu.devices.frame, source, entry);
    this.flushDevice(device);
  }

  map(mapping: DmaMapping): void {
    this.table.map(mapping);
  }

  syncMap(page: number, pages: number): void {
    if (this.iommu.port.npCache) this.flush(page, pages);
  }

  unmap(page: number, pages: number, gather: Gather): number {
    const size = this.table.clear(page, pages);
    assert(size > 0, () => `amd iommu: nothing is mapped at IO page ${page}`);
    gather.addAnySize(page, size, this.iommu.port.npCache);
    return size;
  }

  sync({ start, end }: Gather): void {
    this.flush(start, end - start);
  }

  flushAll(): void {
    this.flushPart(everything);
    this.iommu.wait();
  }

  release(): void {
    // Tables stay when their last entry goes.
  }

  translate(page: number): number | null {
    return this.table.translate(page);
  }

  private flushPart(part: { readonly page: number; readonly order: number }): void {
    const { iommu, id } = this;
    iommu.command({ kind: "pages", domain: id, ...part, tables: true });
    for (const { source, ats } of this.devices.values()) {
      if (ats) iommu.command({ kind: "device-tlb", source, ...part });
    }
  }

  private flush(page: number, pages: number): void {
    const { iommu } = this;
    const end = page + pages;
    if (iommu.port.npCache) {
      for (let at = page; at < end;) {
        let order = 0;
        while (at % 2 ** (order + 1) === 0 && at + 2 ** (order + 1) <= end) order += 1;
        this.flushPart({ page: at, order });
        at += 2 ** order;
      }
    } else {
      // One command that covers it.
      let order = 0;
      while (Math.floor(page / 2 ** order) !== Math.floor((end - 1) / 2 ** order)) order += 1;
      this.flushPart({ page: page - (page % 2 ** order), order });
    }
    iommu.wait();
  }
}
