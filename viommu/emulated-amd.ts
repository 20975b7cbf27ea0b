/**
 * An AMD IOMMU that a hypervisor emulates: registers whose writes exit, the guest's command buffer, and what its commands
 * mean to devices of the host that the guest drives. It says NpCache, so that the guest tells what it has mapped.
 *
 * Source: AMD IOMMU specification 2.4 "Commands", capability header bit NpCache; QEMU 7.2 hw/i386/amd_iommu.c
 * `amdvi_cmdbuf_exec`. QEMU's emulation tells no assigned device; what a command means to one is as its Intel emulation has it.
 */
import { type AmdCommand, commandBuffer, everyPage } from "../machine/iommu/amd/commands.ts";
import type { DescriptorRing } from "../machine/iommu/ring.ts";
import { readDevice } from "../machine/iommu/amd/device-table.ts";
import {
  type AmdPort,
  type AmdRegister,
  deviceTableAt,
  type DeviceTablePlace,
} from "../machine/iommu/amd/iommu.ts";
import type { ContextEntry } from "../machine/iommu/context-tables.ts";
import { IommuCounts } from "../machine/iommu/counters.ts";
import type { QueueMemory } from "../machine/iommu/queue-memory.ts";
import type { DeviceView } from "./emulated-vtd.ts";

export class EmulatedAmd implements AmdPort {
  readonly npCache = true;
  readonly counts = new IommuCounts();
  private readonly memory: QueueMemory;
  private readonly buffer: DescriptorRing;
  private readonly devices: DeviceView[] = [];
  private table: DeviceTablePlace | null = null;

  /** `memory` is the guest's, by guest frame. */
  constructor(memory: QueueMemory) {
    this.memory = memory;
    this.buffer = commandBuffer(memory, this.counts, {
      perform: (what) => this.perform(what),
      // What a command asks for is done when its write returns.
      beforeWait: () => undefined,
    });
  }

  addDevice(device: DeviceView): void {
    this.devices.push(device);
    device.translationSwitched("off");
  }

  write(register: AmdRegister, value: number): void {
    if (register === "CMDTAIL") {
      this.buffer.writeTail(value);
      return;
    }
    this.counts.ledger.otherRegisters += 1;
    if (register === "DEVTAB") this.table = deviceTableAt(value);
    if (register === "CMDBASE") this.buffer.setBase(value);
    if (register !== "CONTROL" || value !== 1) return;
    for (const device of this.devices) device.translationSwitched(this.contextOf(device));
  }

  /** What the guest's device table says of a device now. */
  private contextOf({ source }: { readonly source: number }): ContextEntry | null {
    const entry = this.table && readDevice(this.memory, this.table.frame, source);
    if (entry === null) return { type: "pass-through", table: 0, levels: 3, domain: 0 };
    const { root: table, levels, domain, rights, isTranslated } = entry;
    if (!isTranslated || rights === 0) return null;
    if (levels === 0) return { type: "pass-through", table: 0, levels: 3, domain };
    return { type: "translate", table, levels, domain };
  }

  private perform(what: AmdCommand): void {
    for (const device of this.devices) {
      const context = this.contextOf(device);
      if (what.kind === "device") {
        if (what.source === device.source) device.contextChanged(context);
      } else if (what.kind === "pages" && context?.domain === what.domain) {
        if (what.order >= everyPage) device.domainInvalidated(context);
        else device.rangeInvalidated(context, what.page, 2 ** what.order);
      }
    }
  }
}
