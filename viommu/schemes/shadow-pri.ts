/**
 * Shadow IO tables built lazily: nothing is mapped before the device asks for it (page requests, PRI).
 *
 * Buys: no exit to map, and only pages that a device has used are pinned. Pays: a request through the host for each first
 * use (Lesokhin 2017: 220 us for a NIC), and a device that can wait.
 *
 * Source: VT-d specification 7.4 "Page Request Services"; the seed's lazy construction, which without PRI cannot be.
 */
import type { ContextEntry } from "../../machine/iommu/context-tables.ts";
import { pagesPerEntry } from "../../machine/address.ts";
import { secondLevel, SL_R, SL_W } from "../../machine/formats/second-level.ts";
import type { QueueMemory } from "../../machine/iommu/queue-memory.ts";
import type { DmaKind } from "../../machine/iommu/iommu.ts";
import { emulatedCapabilities } from "../dma-machine.ts";
import { type DeviceView, EmulatedVtd } from "../emulated-vtd.ts";
import { intelGuest } from "../guest-driver.ts";
import { hostSide } from "../host-domain.ts";
import { MappedRanges } from "../mapped-ranges.ts";
import { type DmaScheme, type GuestDma, noCounts, registerExits } from "../scheme.ts";
import type { MappingUser } from "../shadow-walk.ts";

class LazyDevice implements DeviceView {
  readonly source: number;
  requests = 0;
  tablesWalked = 0;
  private readonly guest: QueueMemory;
  private readonly user: MappingUser;
  private readonly mapped = new MappedRanges();

  constructor(source: number, guest: QueueMemory, user: MappingUser) {
    this.source = source;
    this.guest = guest;
    this.user = user;
  }

  translationSwitched(): void {
    this.contextChanged();
  }

  contextChanged(): void {
    this.drop(0, pagesPerEntry(5));
  }

  rangeInvalidated(_context: ContextEntry, page: number, pages: number): void {
    this.drop(page - (page % pages), pages);
  }

  domainInvalidated(): void {
    this.drop(0, pagesPerEntry(5));
  }

  deviceTlbInvalidated(): void {}

  private drop(page: number, pages: number): void {
    for (const range of this.mapped.all()) {
      if (range.page >= page + pages || page >= range.page + range.pages) continue;
      this.mapped.remove(range.page, range.pages);
      this.user.unmap(range.page, range.pages);
    }
  }

  /** The device asks: is the page the guest's to give, it is mapped and pinned. */
  request(context: ContextEntry | null, page: number, kind: DmaKind): "again" | "done" {
    if (context === null || page >= pagesPerEntry(context.levels + 1)) return "done";
    let table = context.table;
    let rights = SL_R | SL_W;
    for (let level = context.levels; ; level--) {
      this.tablesWalked += 1;
      const span = pagesPerEntry(level);
      const index = Math.floor(page / span) % secondLevel.entries;
      const low = this.guest.readLow(table, index);
      rights &= low;
      if ((rights & (kind === "write" ? SL_W : SL_R)) === 0) return "done";
      const frame = secondLevel.frameOf(low, this.guest.readHigh(table, index));
      if (!secondLevel.isLeaf(level, low)) {
        table = frame;
        continue;
      }
      // What was mapped here did not permit this.
      this.drop(page, 1);
      const isBoth = (rights & SL_W) !== 0 && (rights & SL_R) !== 0;
      const named = isBoth ? "read-write" : (rights & SL_W) === 0 ? "read" : "write";
      // One page, even of a large leaf: only it was asked for.
      const range = { page, pages: 1, gfn: frame + (page % span), rights: named } as const;
      this.mapped.insert(range);
      this.user.map(range);
      this.requests += 1;
      return "again";
    }
  }
}

export const shadowPri: DmaScheme = {
  title: "Shadow IO tables built when the device asks (page requests)",
  family: "shadow",
  scalable: false,
  protects: "page",
  create(machine, { flush }): GuestDma {
    const host = hostSide(machine);
    const vtd = new EmulatedVtd(machine.emulator, emulatedCapabilities);
    const devices = machine.devices.flatMap(({ requestor }, i) => {
      const user = host.users[i];
      return user === undefined ? [] : [new LazyDevice(requestor.source, machine.emulator, user)];
    });
    for (const device of devices) vtd.addDevice(device);
    machine.onPageRequest = ({ source, page, kind }) => {
      const device = devices.find((one) => one.source === source);
      // Nobody tells of a new context entry without caching mode: the guest's tables say what it is now.
      return device?.request(vtd.contextOf({ source }), page, kind) ?? "done";
    };
    const apis = intelGuest(machine, vtd, flush);
    return {
      apis,
      counts() {
        return {
          ...noCounts,
          ...host.counts(),
          ...registerExits(vtd.counts),
          pageRequests: devices.reduce((sum, { requests }) => sum + requests, 0),
          tablesWalked: devices.reduce((sum, { tablesWalked }) => sum + tablesWalked, 0),
        };
      },
    };
  },
};
