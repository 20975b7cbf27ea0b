/**
 * An A or D bit that silicon could not set in a read-only table of the guest's: the hypervisor does it.
 */
import { type Gfn, indexAt, type Vpn } from "../../machine/address.ts";
import {
  frameOf,
  isAccessed,
  isDirty,
  isLarge,
  isPresent,
  withAccessed,
  withDirty,
} from "../../machine/formats/x86-entry.ts";
import type { PendingStore } from "../../machine/exits.ts";
import type { VirtualCpu } from "../../machine/virtual-cpu.ts";
import type { HostMemory } from "../../hypervisor/memory/host-memory.ts";

interface MarkExit {
  readonly vpn: Vpn;
  /** The table that silicon would have stored to. */
  readonly gfn: Gfn;
  readonly store: PendingStore | null;
}

/**
 * Sets the bit in the entry that a walk for `vpn` meets in the table. Returns the entry's index; null where the walk meets none
 * that lacks one: silicon had come by what only its caches knew, which the violation has dropped.
 */
export function markForWalker(
  memory: HostMemory,
  vcpu: VirtualCpu,
  { vpn, gfn, store }: MarkExit,
): number | null {
  let table = vcpu.cr3.root;
  for (let level: number = vcpu.registers.levels; level > 0; level--) {
    if (table >= memory.frames) return null;
    const index = indexAt(vpn, level);
    const low = memory.readLow(table, index);
    const high = memory.readHigh(table, index);
    if (!isPresent(low)) return null;
    const isLeaf = level === 1 || isLarge(low);
    if (table === gfn) {
      const wanted = !isAccessed(low) ? withAccessed(low) : markOfLeaf(low, isLeaf, store);
      if (wanted !== low) {
        memory.write(table, index, wanted, high);
        return index;
      }
    }
    if (isLeaf) return null;
    table = frameOf(low, high) as Gfn;
  }
  return null;
}

/** Of an entry that is accessed: silicon stores to it for D alone. */
function markOfLeaf(low: number, isLeaf: boolean, store: PendingStore | null): number {
  return isLeaf && store !== null && !isDirty(low) ? withDirty(low) : low;
}
