/**
 * An AMD IOMMU: a device table in front of tables that say themselves how deep they are, a command buffer that empties its caches,
 * an event log for what it refuses.
 *
 * A refused request is logged and dropped: nothing exits.
 *
 * A device with a TLB of its own (`DeviceTlb`) sends translated requests, of which only the device entry is asked.
 *
 * Model: the cache of device entries has room for every device; no page requests. Bias: none below a few dozen devices.
 *
 * Source: AMD IOMMU specification 2.2 "Data Structures", 2.4 "Commands", 2.5 "Event Logging", 3.4 "MMIO Registers".
 */
import type { Pfn } from "../../address.ts";
import { assert } from "../../assert.ts";
import type { PhysicalMemory } from "../../memory.ts";
import type { Preset } from "../../presets.ts";
import type { IommuCounts } from "../counters.ts";
import type { DmaKind } from "../iommu.ts";
import { type AmdCommand, commandBuffer } from "./commands.ts";
import type { DescriptorRing } from "../ring.ts";
import { type DeviceEntry, devicesPerPage, readDevice } from "./device-table.ts";
import { AMD_READ, AMD_WRITE, amdLevelsMax } from "./entries.ts";
import { EventLog } from "./events.ts";
import { AmdWalker } from "./walker.ts";

export type AmdRegister =
  /** First frame of the device table, and how many pages it has, as one number: see `deviceTableBase`. */
  | "DEVTAB"
  /** Frame of the command buffer, of the event log. */
  | "CMDBASE"
  | "EVTBASE"
  /** Commands up to this place are there. */
  | "CMDTAIL"
  /** Events up to this place are read. */
  | "EVTHEAD"
  /** 1: translation is on. */
  | "CONTROL";

/** As its driver sees it, silicon or emulated. */
export interface AmdPort {
  /** What is not present may be cached too, so mapping invalidates: emulation says so. */
  readonly npCache: boolean;
  write(register: AmdRegister, value: number): void;
}

const pagesMax = 512;
export const deviceTableBase = (frame: number, pages: number) => frame * pagesMax + pages - 1;

/** The device table as a write of its register says. */
export interface DeviceTablePlace {
  readonly frame: number;
  readonly pages: number;
}
export const deviceTableAt = (value: number): DeviceTablePlace => ({
  frame: Math.floor(value / pagesMax),
  pages: (value % pagesMax) + 1,
});

export class AmdSilicon implements AmdPort {
  readonly npCache = false;
  readonly counts: IommuCounts;
  readonly walker: AmdWalker;
  readonly events: EventLog;
  /** Told at each wait: requests that were translated before what it waits for are done before it is. */
  onDrain: () => void = () => undefined;
  /** Told of each command to a device's own TLB: it travels to the device. */
  onDeviceTlb: (what: Extract<AmdCommand, { kind: "device-tlb" }>) => void = () => undefined;
  /** Told of each command before it is done. */
  onCommand: (what: AmdCommand) => void = () => undefined;
  private readonly memory: PhysicalMemory;
  private readonly buffer: DescriptorRing;
  private readonly devices = new Map<number, DeviceEntry>();
  private table: DeviceTablePlace | null = null;
  private isOn = false;

  constructor(
    memory: PhysicalMemory,
    { preset, counts }: { readonly preset: Preset; readonly counts: IommuCounts },
  ) {
    this.memory = memory;
    this.counts = counts;
    this.walker = new AmdWalker(memory, preset, counts.ledger);
    this.events = new EventLog(memory);
    this.buffer = commandBuffer(memory, counts, {
      perform: (what) => this.perform(what),
      beforeWait: () => this.onDrain(),
    });
  }

  write(register: AmdRegister, value: number): void {
    if (register === "CMDTAIL") {
      this.buffer.writeTail(value);
      return;
    }
    this.counts.ledger.otherRegisters += 1;
    if (register === "DEVTAB") this.table = deviceTableAt(value);
    else if (register === "CMDBASE") this.buffer.setBase(value);
    else if (register === "EVTBASE") this.events.setBase(value);
    else if (register === "EVTHEAD") this.events.setHead(value);
    else this.isOn = value === 1;
  }

  private perform(what: AmdCommand): void {
    this.onCommand(what);
    if (what.kind === "device") this.devices.delete(what.source);
    else if (what.kind === "pages") this.walker.invalidate(what);
    else if (what.kind === "device-tlb") this.onDeviceTlb(what);
  }

  /** One request; the frame that it reached, or null when it was refused. */
  access(source: number, page: number, access: DmaKind): Pfn | null {
    const { ledger } = this.counts;
    ledger.requests += 1;
    if (!this.isOn) return page as Pfn;
    const entry = this.deviceEntry(source);
    if (entry === null) return page as Pfn;
    if (entry === "outside" || !entry.isTranslated || entry.levels > amdLevelsMax) {
      ledger.faults += 1;
      const kind = "illegal-device-entry";
      this.events.append({ kind, source, domain: 0, page, access, cause: "reserved" });
      return null;
    }
    const needed = access === "write" ? AMD_WRITE : AMD_READ;
    const isPassed = entry.levels === 0 && (entry.rights & needed) !== 0;
    const found = isPassed ? (page as Pfn) : this.walker.translate(entry, page, needed);
    if (typeof found === "number") return found;
    ledger.faults += 1;
    const { domain } = entry;
    this.events.append({ kind: "page-fault", source, domain, page, access, cause: found });
    return null;
  }

  /** Is a request let through that the device has translated itself? */
  takesTranslated(source: number, page: number, access: DmaKind): boolean {
    if (!this.isOn) return true;
    const entry = this.deviceEntry(source);
    if (entry !== null && entry !== "outside" && entry.ats) return true;
    this.counts.ledger.faults += 1;
    const kind = "invalid-device-request";
    this.events.append({ kind, source, domain: 0, page, access, cause: "absent" });
    return false;
  }

  /** Null: requests pass. Entries without V are not cached, for what passes is nothing to forget. */
  private deviceEntry(source: number): DeviceEntry | "outside" | null {
    const { ledger } = this.counts;
    const known = this.devices.get(source);
    if (known !== undefined) {
      ledger.contextHits += 1;
      return known;
    }
    assert(this.table !== null, "amd iommu: switched on without a device table");
    if (source >= this.table.pages * devicesPerPage) return "outside";
    ledger.contextMisses += 1;
    ledger.referencesContext += 1;
    const entry = readDevice(this.memory, this.table.frame, source);
    if (entry !== null) this.devices.set(source, entry);
    return entry;
  }
}
