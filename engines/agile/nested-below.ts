/**
 * The guest's tables below some of its tables, found as silicon would find them: by reading.
 *
 * Model: the hypervisor reads them beside the guest, at no price. Bias: both, agile paging gains on either.
 */
import { entriesPerTable, type Gfn } from "../../machine/address.ts";
import { frameOf, isLarge, isPresent } from "../../machine/formats/x86-entry.ts";
import type { HostMemory } from "../../hypervisor/memory/host-memory.ts";

/** `heads`, by frame, with the level of their entries, and all tables below; each with the one above it, upper ones first. */
export function nestedBelow(
  memory: HostMemory,
  heads: ReadonlyMap<Gfn, number>,
): Map<Gfn, Gfn | null> {
  const found = new Map<Gfn, Gfn | null>();
  let row = [...heads].map(([gfn, level]) => ({ gfn, level, above: null as Gfn | null }));
  while (row.length > 0) {
    const next: typeof row = [];
    for (const { gfn, level, above } of row) {
      if (found.has(gfn)) continue;
      found.set(gfn, above);
      if (level === 1) continue;
      for (const child of tablesIn(memory, gfn, level)) {
        next.push({ gfn: child, level: level - 1, above: gfn });
      }
    }
    row = next;
  }
  return found;
}

function tablesIn(memory: HostMemory, table: Gfn, level: number): Gfn[] {
  const tables: Gfn[] = [];
  const first = memory.wordsOf(table);
  for (let index = 0; index < entriesPerTable; index++) {
    const low = memory.words[first | (index << 1)]!;
    if (!isPresent(low) || (level <= 3 && isLarge(low))) continue;
    const gfn = frameOf(low, memory.words[first | (index << 1) | 1]!) as Gfn;
    if (gfn < memory.frames && !memory.isHole(gfn)) tables.push(gfn);
  }
  return tables;
}
