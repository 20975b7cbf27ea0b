/**
 * AMD's device table: 32 bytes per device, from its number to its domain's tables.
 *
 *     63 62 61 60      51             12 11   9 8   1   0
 *     .. |IW|IR| ...   | root of tables | mode  | ... |TV | V        bits 79:64 domain id, bit 96 I
 *
 * V clear: requests pass as they are. Mode is the levels of the tables; 0 passes requests too, with the rights of the entry.
 * I: the device may have a TLB of its own, and what it sends translated is taken.
 *
 * Model: neither guest tables (GCR3) nor host A and D bits, and no interrupt half. Bias: none, no driver here sets them.
 *
 * Source: AMD IOMMU specification 2.2.2.1 "Device Table Entry Format"; Linux 6.1 drivers/iommu/amd/iommu.c `set_dte_entry`,
 * `clear_dte_entry`.
 */
import { frameOf } from "../../formats/x86-entry.ts";
import type { QueueMemory } from "../queue-memory.ts";
import { AMD_IR, AMD_IW, AMD_READ, AMD_WRITE } from "./entries.ts";

export interface DeviceEntry {
  /** Its translation fields mean something (TV). */
  readonly isTranslated: boolean;
  /** Levels of the tables; 0 to 6, and 7, which is reserved. */
  readonly levels: number;
  readonly root: number;
  readonly domain: number;
  /** `AMD_READ`, `AMD_WRITE`: beside what the tables grant. */
  readonly rights: number;
  /** I: it may ask for translations and keep them. */
  readonly ats: boolean;
}

const V = 1;
const TV = 2;
/** Of the second entry's high half. */
const I = 1;
const words = 4;
/** Devices that a page of the table has entries for. */
export const devicesPerPage = 128;

/** Page of the table and place in it. */
const placeOf = (source: number) => ({
  page: Math.floor(source / devicesPerPage),
  index: words * (source % devicesPerPage),
});

/** The entry of `source` in the table from frame `table` on; null without V. One memory reference. */
export function readDevice(memory: QueueMemory, table: number, source: number): DeviceEntry | null {
  const { page, index } = placeOf(source);
  const low = memory.readLow(table + page, index);
  if ((low & V) === 0) return null;
  const high = memory.readHigh(table + page, index);
  return {
    isTranslated: (low & TV) !== 0,
    levels: (low >>> 9) & 7,
    root: frameOf(low, high),
    domain: memory.readLow(table + page, index + 1) & 0xffff,
    rights: (high >>> 29) & (AMD_READ | AMD_WRITE),
    ats: (memory.readHigh(table + page, index + 1) & I) !== 0,
  };
}

/**
 * Writes an entry. None: nothing is translated and no request is let through, as a driver leaves a device without a
 * domain.
 */
export function writeDevice(
  memory: QueueMemory,
  table: number,
  source: number,
  entry: Omit<DeviceEntry, "isTranslated"> | null,
): void {
  const { page, index } = placeOf(source);
  if (entry === null) {
    memory.write(table + page, index, V | TV, 0);
    memory.write(table + page, index + 1, 0, 0);
    return;
  }
  const { levels, root, domain, rights, ats } = entry;
  const granted =
    ((rights & AMD_READ) === 0 ? 0 : AMD_IR) | ((rights & AMD_WRITE) === 0 ? 0 : AMD_IW);
  memory.write(table + page, index + 1, domain, ats ? I : 0);
  memory.write(
    table + page,
    index,
    (root << 12) | (levels << 9) | V | TV,
    Math.floor(root / 0x10_0000) | granted,
  );
}
