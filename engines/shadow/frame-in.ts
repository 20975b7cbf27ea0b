/** What shadow tables say of a page, for people. */
import type { Pfn, Vpn } from "../../machine/address.ts";
import { frameOf, isPresent } from "../../machine/formats/x86-entry.ts";
import { x86 } from "../../machine/formats/x86.ts";
import type { FrameMemory } from "../../hypervisor/platform.ts";
import { findPlace } from "../../hypervisor/tables/radix.ts";
import type { ShadowTable } from "./shadow-table.ts";

/** The frame that the tables below `root` give for the page, or null. */
export function frameIn(memory: FrameMemory, root: ShadowTable, vpn: Vpn): Pfn | null {
  const tree = { memory, format: x86, root: root.pfn, levels: root.level };
  const { table, index, level } = findPlace(tree, vpn);
  const low = memory.readLow(table, index);
  if (!isPresent(low)) return null;
  return (frameOf(low, memory.readHigh(table, index)) + (vpn % 512 ** (level - 1))) as Pfn;
}
