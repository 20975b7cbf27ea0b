/**
 * Nested translation in silicon: the guest's first-level tables are the device's, the hypervisor's second-level tables lie
 * below them.
 *
 * Buys: mapping is a store. Pays: an unmapping still exits, because the queue is emulated and its commands are forwarded; a
 * miss takes 24 references instead of 4; all guest memory is pinned.
 *
 * Source: Linux Documentation/userspace-api/iommufd.rst (IOMMU_HWPT_NESTED, IOMMU_HWPT_INVALIDATE); VT-d 3.8 "Nested
 * Translation".
 */
import type { Invalidation } from "../../machine/iommu/descriptors.ts";
import { IommuCounts } from "../../machine/iommu/counters.ts";
import {
  readDirectory,
  readPasid,
  readScalableContext,
  readScalableRoot,
  writePasid,
} from "../../machine/iommu/pasid-tables.ts";
import { invalidationQueue } from "../../machine/iommu/queue.ts";
import type { DescriptorRing } from "../../machine/iommu/ring.ts";
import type { IommuPort, IommuRegister } from "../../machine/iommu/registers.ts";
import { IoTable } from "../../linux/iommu/io-table.ts";
import { ridPasid, ScalableIommu } from "../../linux/iommu/scalable.ts";
import { type DmaMachine, emulatedCapabilities, hostCapabilities } from "../dma-machine.ts";
import { linuxDma } from "../guest-driver.ts";
import { type DmaScheme, type GuestDma, noCounts, registerExits } from "../scheme.ts";

/** Domain of the host's that a device has: its place, from 1. */
const hostDomain = (index: number) => index + 1;

/** The emulated IOMMU: its queue's commands are forwarded to silicon. */
class ForwardingVtd implements IommuPort {
  readonly capabilities = { ...emulatedCapabilities, cachingMode: true };
  readonly counts = new IommuCounts();
  private readonly machine: DmaMachine;
  private readonly host: ScalableIommu;
  private readonly second: IoTable;
  private readonly queue: DescriptorRing;
  /** By device: the guest's domain that it is in. */
  private readonly guestDomains = new Map<number, number>();
  private root = 0;

  constructor(machine: DmaMachine, host: ScalableIommu, second: IoTable) {
    this.machine = machine;
    this.host = host;
    this.second = second;
    this.queue = invalidationQueue(machine.emulator, this.counts, (what) => this.perform(what));
  }

  write(register: IommuRegister, value: number): void {
    if (register === "IQT") {
      this.queue.writeTail(value);
      return;
    }
    this.counts.ledger.otherRegisters += 1;
    if (register === "RTADDR") this.root = value;
    if (register === "IQA") this.queue.setBase(value);
  }

  private perform(what: Invalidation): void {
    if (what.kind === "pasid-cache") this.machine.devices.forEach((_, i) => this.bind(i));
    if (what.kind !== "pasid-iotlb") return;
    this.machine.devices.forEach((_, i) => {
      if (this.guestDomains.get(i) !== what.domain) return;
      this.host.submitter.submit({ ...what, domain: hostDomain(i), pasid: ridPasid });
    });
  }

  /** The device's PASID entry as the guest has it becomes a nested one of the host's. */
  private bind(index: number): void {
    const device = this.machine.devices[index];
    if (device === undefined) return;
    const { source } = device.requestor;
    const entry = this.guestEntry(source);
    const domain = hostDomain(index);
    const { pasidTable } = this.host.pathOf(source);
    this.guestDomains.delete(index);
    if (entry !== null) this.guestDomains.set(index, entry.domain);
    writePasid(
      this.machine.hostTables,
      pasidTable,
      ridPasid,
      entry === null
        ? null
        : {
            translation: "nested",
            domain,
            first: entry.first,
            firstLevels: entry.firstLevels,
            second: this.second.root,
            secondLevels: hostCapabilities.levels,
            secondMarks: false,
          },
    );
    this.host.invalidatePasid(domain);
    const all = { kind: "pasid-iotlb", domain, pasid: ridPasid, page: null, mask: 0 } as const;
    this.host.submitter.submit(all);
  }

  private guestEntry(source: number) {
    const { emulator: guest } = this.machine;
    const table = readScalableRoot(guest, this.root, source);
    const directory = table === null ? null : readScalableContext(guest, table, source);
    const pasids = directory === null ? null : readDirectory(guest, directory, ridPasid);
    return pasids === null ? null : readPasid(guest, pasids, ridPasid);
  }
}

export const nested: DmaScheme = {
  title: "Nested in hardware: the guest's first-level tables over the host's second level",
  family: "nested",
  scalable: true,
  protects: "page",
  create(machine, { flush }): GuestDma {
    const host = new ScalableIommu(machine.iommu, machine.hostTables);
    const { levels, largeLevels, coherent } = hostCapabilities;
    const shape = { levels, largeLevels, coherent, format: "second-level" } as const;
    const second = new IoTable(machine.hostTables, shape);
    for (let gfn = 0; gfn < machine.pages.frames;) gfn += mapRun(machine, second, gfn);
    const vtd = new ForwardingVtd(machine, host, second);
    const guest = new ScalableIommu(vtd, machine.guest);
    const apis = machine.devices.map(({ requestor }) => {
      const domain = guest.createDomain();
      domain.attach(requestor.source);
      return linuxDma(machine, domain, flush);
    });
    return {
      apis,
      counts() {
        const hostSubmissions = machine.iommu.counts.ledger.tailWrites;
        return { ...noCounts, ...registerExits(vtd.counts), hostSubmissions };
      },
    };
  },
};

/** Guest frames from `gfn` on that follow each other in the host: pinned and mapped; how many. */
function mapRun({ pages }: DmaMachine, second: IoTable, gfn: number): number {
  const frame = pages.pin(gfn);
  let length = 1;
  while (gfn + length < pages.frames && pages.place(gfn + length) === frame + length) {
    pages.pin(gfn + length);
    length += 1;
  }
  second.map({ page: gfn, frame, pages: length, rights: "read-write" }, () => undefined);
  return length;
}
