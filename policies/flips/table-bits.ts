/**
 * Which bits a translation depends on: entries of the tables on the way to a guest's pages, its own and its hypervisor's.
 *
 * Beside the entries in use each leaf table gives one that is empty, since a bit can make an entry of nothing too.
 */
import type { Gfn, Pfn } from "../../machine/address.ts";
import type { EntryHalves } from "../../machine/formats/bit-kind.ts";
import type { EntryFormat } from "../../machine/formats/format.ts";
import { x86 } from "../../machine/formats/x86.ts";
import type { PhysicalMemory } from "../../machine/memory.ts";
import type { Placement } from "../../machine/placement.ts";
import { assert } from "../../machine/assert.ts";
import type { Vcpu } from "../../machine/vcpu.ts";

/** Whose tables: what the guest's kernel has written, or its hypervisor. */
export type Writer = "guest" | "hypervisor";

export interface TableEntry extends EntryHalves {
  readonly writer: Writer;
  readonly format: EntryFormat;
  /** Host frame of the table, entry within it, level of the table. */
  readonly pfn: Pfn;
  readonly index: number;
  readonly level: number;
}

interface Tree {
  readonly writer: Writer;
  readonly format: EntryFormat;
  readonly levels: number;
  /** Host frame of a table that an entry names, which is in host frames too but for a guest's. */
  readonly placeOf: (frame: number) => Pfn;
}

/** The guest's own tables, from what it has in CR3. */
export function guestEntries({ memory, cr3 }: Vcpu, placement: Placement): TableEntry[] {
  const placeOf = (gfn: number) => placement(gfn as Gfn);
  const tree: Tree = { writer: "guest", format: x86, levels: 4, placeOf };
  return entriesFrom(memory, placeOf(cr3.root), tree);
}

/** The tables that silicon walks and the hypervisor writes: nested ones, or the shadow of what is in CR3. */
export function hypervisorEntries({ memory, controls, mmu }: Vcpu): TableEntry[] {
  if (!controls.virtualized) return [];
  const last = controls.stages(controls.walk?.levels ?? 4).at(-1);
  assert(last !== undefined, "flips: silicon walks no tables");
  const { format, shape } = last;
  const root = last.root ?? (mmu.loadedRoot().frame as Pfn);
  const placeOf = (frame: number) => frame as Pfn;
  return entriesFrom(memory, root, { writer: "hypervisor", format, levels: shape.levels, placeOf });
}

function entriesFrom(memory: PhysicalMemory, root: Pfn, tree: Tree): TableEntry[] {
  const { writer, format, placeOf } = tree;
  const found: TableEntry[] = [];
  const seen = new Set<Pfn>();
  const visit = (pfn: Pfn, level: number): void => {
    // Two ways may lead to one table.
    if (seen.has(pfn)) return;
    seen.add(pfn);
    let isBeside = false;
    for (let index = 0; index < format.entries; index++) {
      const low = memory.readLow(pfn, index);
      const high = memory.readHigh(pfn, index);
      const isUsed = low !== 0 || high !== 0;
      if (isUsed || (isBeside && level === 1)) {
        found.push({ writer, format, pfn, index, level, low, high });
      }
      isBeside = isUsed;
      if (!format.isPresent(low) || format.isLeaf(level, low)) continue;
      visit(placeOf(format.frameOf(low, high)), level - 1);
    }
  };
  visit(root, tree.levels);
  return found;
}
