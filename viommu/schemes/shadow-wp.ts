/**
 * Shadow IO tables by write protection: every store of the guest into its IO tables exits and is done again in the shadow.
 *
 * Buys: no caching mode, so the guest may be lazy, and its mappings need no invalidation. Pays: an exit per entry that
 * changes, where an invalidation would have told of many at once.
 *
 * Root and context tables are protected too: nothing else tells of a device that changes its domain.
 *
 * Source: as shadow page tables for processors; Xen's vtd has it for its own guests' tables only.
 */
import { pagesPerEntry } from "../../machine/address.ts";
import { readRoot } from "../../machine/iommu/context-tables.ts";
import { secondLevel } from "../../machine/formats/second-level.ts";
import { type DmaMachine, emulatedCapabilities } from "../dma-machine.ts";
import { type DeviceView, EmulatedVtd } from "../emulated-vtd.ts";
import type { GuestFrames } from "../guest-frames.ts";
import { intelGuest } from "../guest-driver.ts";
import { hostSide } from "../host-domain.ts";
import { type DmaScheme, type GuestDma, noCounts, registerExits } from "../scheme.ts";
import { ShadowedDevice, walkedFor } from "../shadowed-device.ts";

/** A guest table, and the first IO page that it translates. */
interface ProtectedTable {
  readonly level: number;
  readonly page: number;
}

type Context = NonNullable<ReturnType<EmulatedVtd["contextOf"]>>;

class ProtectedDevice implements DeviceView {
  readonly source: number;
  readonly shadow: ShadowedDevice;
  private readonly guest: GuestFrames;
  private context: Context | null = null;
  private readonly tables = new Map<number, ProtectedTable>();

  constructor(shadow: ShadowedDevice, guest: GuestFrames) {
    this.source = shadow.source;
    this.shadow = shadow;
    this.guest = guest;
  }

  get protectedTables(): Iterable<number> {
    return this.tables.keys();
  }

  translationSwitched(context: Context | null | "off"): void {
    this.shadow.translationSwitched(context);
    this.context = context === "off" ? null : context;
    this.protectAll();
  }

  /** The guest stored into a root or context table. */
  contextStored(context: Context | null): void {
    const { context: before } = this;
    const isSame = before?.table === context?.table && before?.domain === context?.domain;
    if (isSame) return;
    this.context = context;
    this.shadow.contextChanged(context);
    this.protectAll();
  }

  /** The guest stored entry `index` of a table; not this device's: nothing. */
  tableStored(frame: number, index: number): void {
    const table = this.tables.get(frame);
    if (table === undefined || this.context === null) return;
    const span = pagesPerEntry(table.level);
    this.shadow.rangeInvalidated(this.context, table.page + index * span, span);
    // A table came or went below it.
    if (table.level > 1) this.protectAll();
  }

  private protectAll(): void {
    this.tables.clear();
    const { context } = this;
    if (context === null) return;
    this.protect(context.table, { level: context.levels, page: 0 });
  }

  private protect(frame: number, { level, page }: ProtectedTable): void {
    this.tables.set(frame, { level, page });
    if (level === 1) return;
    const span = pagesPerEntry(level);
    for (let index = 0; index < secondLevel.entries; index++) {
      const low = this.guest.readLow(frame, index);
      if (!secondLevel.isPresent(low) || secondLevel.isLeaf(level, low)) continue;
      const child = secondLevel.frameOf(low, this.guest.readHigh(frame, index));
      this.protect(child, { level: level - 1, page: page + index * span });
    }
  }

  contextChanged(): void {
    // The store has told already, and so for the others.
  }
  rangeInvalidated(): void {}
  domainInvalidated(): void {}
  deviceTlbInvalidated(): void {}
}

/** Protects what the devices' tables are now, context tables included. */
function protectTables(machine: DmaMachine, vtd: EmulatedVtd, devices: readonly ProtectedDevice[]) {
  const { protectedFrames } = machine.guest;
  protectedFrames.clear();
  protectedFrames.add(vtd.root);
  for (const device of devices) {
    const table = readRoot(machine.emulator, vtd.root, device.source);
    if (table !== null) protectedFrames.add(table);
    for (const frame of device.protectedTables) protectedFrames.add(frame);
  }
}

export const shadowWp: DmaScheme = {
  title: "Shadow IO tables, each store of the guest into its own trapped (write protection)",
  family: "shadow",
  scalable: false,
  protects: "page",
  create(machine, { flush }): GuestDma {
    const host = hostSide(machine);
    const vtd = new EmulatedVtd(machine.emulator, emulatedCapabilities);
    const devices = machine.devices.flatMap(({ requestor }, i) => {
      const user = host.users[i];
      if (user === undefined) return [];
      const { guest } = machine;
      const options = { source: requestor.source, memory: guest, user };
      const shadow = new ShadowedDevice({ ...options, guestFrames: machine.pages.frames });
      return [new ProtectedDevice(shadow, guest)];
    });
    for (const device of devices) vtd.addDevice(device);
    machine.guest.onTrappedStore = (frame, index) => {
      for (const device of devices) {
        device.contextStored(vtd.contextOf(device));
        device.tableStored(frame, index);
      }
      protectTables(machine, vtd, devices);
    };
    vtd.onSwitched = () => protectTables(machine, vtd, devices);
    const apis = intelGuest(machine, vtd, flush);
    return {
      apis,
      counts() {
        const { exitsRegister } = registerExits(vtd.counts);
        const exitsTableStore = machine.guest.trappedStores;
        return {
          ...noCounts,
          ...host.counts(),
          exits: exitsRegister + exitsTableStore,
          exitsRegister,
          exitsTableStore,
          ...walkedFor(devices.map(({ shadow }) => shadow)),
        };
      },
    };
  },
};
