/**
 * An Intel IOMMU that a hypervisor emulates: registers whose writes exit, the guest's queue, and what its invalidations
 * mean to devices of the host that the guest drives.
 *
 * What a range's or a domain's invalidation comes to is the scheme's (`DeviceView`): a walk of the guest's tables, a
 * forwarded command, nothing.
 *
 * Source: QEMU 7.2 hw/i386/intel_iommu.c `vtd_process_inv_desc`, `vtd_iotlb_page_invalidate_notify`,
 * `vtd_context_device_invalidate`, `vtd_switch_address_space`.
 */
import { type ContextEntry, readContext, readRoot } from "../machine/iommu/context-tables.ts";
import { IommuCounts } from "../machine/iommu/counters.ts";
import type { Invalidation } from "../machine/iommu/descriptors.ts";
import { invalidationQueue } from "../machine/iommu/queue.ts";
import type { QueueMemory } from "../machine/iommu/queue-memory.ts";
import type { DescriptorRing } from "../machine/iommu/ring.ts";
import {
  GCMD_TRANSLATE,
  type IommuCapabilities,
  type IommuPort,
  type IommuRegister,
} from "../machine/iommu/registers.ts";

/** One assigned device, as the scheme sees the guest deal with it. */
export interface DeviceView {
  readonly source: number;
  /** What translates its requests changed altogether: no table (null) or another one. */
  contextChanged(context: ContextEntry | null): void;
  /** The guest invalidated [page, page + pages) of the domain that the device is in. */
  rangeInvalidated(context: ContextEntry, page: number, pages: number): void;
  /** The guest invalidated all of that domain. */
  domainInvalidated(context: ContextEntry): void;
  /** The guest invalidated the TLB in the device. */
  deviceTlbInvalidated(page: number, mask: number): void;
  /** The guest switched translation on or off. Off: IO addresses are guest-physical ones. */
  translationSwitched(context: ContextEntry | null | "off"): void;
}

export class EmulatedVtd implements IommuPort {
  readonly capabilities: IommuCapabilities;
  readonly counts = new IommuCounts();
  private readonly memory: QueueMemory;
  private readonly queue: DescriptorRing;
  private readonly devices: DeviceView[] = [];
  /** Frame of the guest's root table. */
  root = 0;
  private isOn = false;
  /** The guest has switched translation on. */
  onSwitched: () => void = () => undefined;

  /** `memory` is the guest's, by guest frame. */
  constructor(memory: QueueMemory, capabilities: IommuCapabilities) {
    this.memory = memory;
    this.capabilities = capabilities;
    this.queue = invalidationQueue(memory, this.counts, (what) => this.perform(what));
  }

  addDevice(device: DeviceView): void {
    this.devices.push(device);
    device.translationSwitched(this.isOn ? this.contextOf(device) : "off");
  }

  write(register: IommuRegister, value: number): void {
    if (register === "IQT") {
      this.queue.writeTail(value);
      return;
    }
    this.counts.ledger.otherRegisters += 1;
    if (register === "RTADDR") this.root = value;
    if (register === "IQA") this.queue.setBase(value);
    if (register === "GCMD") this.command(value);
  }

  private command(value: number): void {
    if ((value & GCMD_TRANSLATE) === 0 || this.isOn) return;
    this.isOn = true;
    for (const device of this.devices) device.translationSwitched(this.contextOf(device));
    this.onSwitched();
  }

  /** What the guest's tables say of a device now. */
  contextOf({ source }: { readonly source: number }): ContextEntry | null {
    const table = readRoot(this.memory, this.root, source);
    return table === null ? null : readContext(this.memory, table, source);
  }

  private perform(what: Invalidation): void {
    for (const device of this.devices) {
      if (what.kind === "context") {
        // Domain 0 stands for what was not present: it concerns every device that the source names.
        const concerns = what.scope !== "device" || what.source === device.source;
        if (concerns) device.contextChanged(this.contextOf(device));
      } else if (what.kind === "iotlb") {
        this.invalidateTlb(device, what);
      } else if (what.kind === "device-tlb" && what.source === device.source) {
        device.deviceTlbInvalidated(what.page, what.mask);
      }
    }
  }

  private invalidateTlb(device: DeviceView, what: Extract<Invalidation, { kind: "iotlb" }>): void {
    const context = this.contextOf(device);
    if (what.scope === "global") {
      // Whatever the tables say now, all of it.
      device.contextChanged(context);
      return;
    }
    if (context?.domain !== what.domain) return;
    if (what.scope === "page") device.rangeInvalidated(context, what.page, 2 ** what.mask);
    else device.domainInvalidated(context);
  }
}
