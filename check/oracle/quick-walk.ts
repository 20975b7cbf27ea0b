/**
 * The walk that explains nearly every access: the guest's tables as they are, and nothing else.
 */
import {
  frameOf,
  isDirty,
  isExecutable,
  isLarge,
  isPresent,
} from "../../machine/formats/x86-entry.ts";
import { type PhysicalMemory, slotShift } from "../../machine/memory.ts";
import { FETCH, SHADOW_STACK, STORE } from "../../machine/mmu.ts";
import type { Vcpu } from "../../machine/vcpu.ts";
import { rightsNeeded } from "./access-kinds.ts";
import { isReserved } from "./legal-walks.ts";

/** The frame where an access of `kind` (the high column) leads; -1 if the tables do not let it complete as it did. */
export function quickWalk(
  { words, slotOf }: PhysicalMemory,
  pfnOf: Int32Array,
  { registers, cr3 }: Vcpu,
  { vpn, kind }: { readonly vpn: number; readonly kind: number },
): number {
  if ((kind & SHADOW_STACK) !== 0) return -1;
  const bottom = vpn | 0;
  const top = Math.floor(vpn / 2 ** 27);
  let flags = ~0;
  let highs = 0;
  let table: number = cr3.root;
  for (let level: number = registers.levels; level >= 1; level--) {
    const pfn = pfnOf[table] ?? -1;
    if (pfn < 0) return -1;
    const index = (level > 3 ? top >>> (9 * (level - 4)) : bottom >>> (9 * (level - 1))) & 511;
    const word = (slotOf[pfn]! << slotShift) | (index << 1);
    const low = words[word]!;
    const high = words[word | 1]!;
    if (!isPresent(low) || isReserved(level, low, high)) return -1;
    flags &= low;
    highs |= high;
    table = frameOf(low, high);
    if (level > 1 && !isLarge(low)) continue;
    if ((kind & STORE) !== 0 && !isDirty(low)) return -1;
    const needed = rightsNeeded(kind, registers.writeProtect);
    if ((flags & needed) !== needed) return -1;
    if ((kind & FETCH) !== 0 && !isExecutable(highs)) return -1;
    const mask = (1 << (9 * (level - 1))) - 1;
    return ((table & ~mask) | (bottom & mask)) >>> 0;
  }
  return -1;
}
