/**
 * Tables with a copy on every node, so that each processor walks those that are near to it.
 *
 * Who edits them sees one tree, the one on the node where tables are made. A store goes into every copy, a link leads to
 * the child's copy on the same node; what silicon notes in one copy is read from all.
 *
 * Source: Achermann et al., "Mitosis" (ASPLOS 2020), section 5; Panwar et al., vMitosis (ASPLOS 2021), section 3.3.
 */
import type { Pfn } from "../../machine/address.ts";
import { highHalf, lowHalf, nxOf } from "../../machine/formats/x86-entry.ts";
import type { EntryFormat } from "../../machine/formats/format.ts";
import type { Platform } from "../platform.ts";
import type { TableMemory } from "./radix.ts";

export interface ReplicatedTables extends TableMemory {
  /** The table's copy on that node. */
  on(table: Pfn, node: number): Pfn;
}

/** Throws where nested tables are to have copies and `what` cannot: its rules would hold in one of them alone. */
export function refuseCopies({ nodes }: Pick<Platform, "nodes">, what: string): void {
  if (nodes?.hypervisorTables !== "replicated") return;
  throw new Error(`${what}: not with nested tables that have a copy on every node`);
}

/** `format`: what the entries look like. */
export function replicateTables(
  memory: TableMemory,
  { nodes, format }: { readonly nodes: number; readonly format: EntryFormat },
): ReplicatedTables {
  const { frameShift } = format;
  const flagBits = 2 ** frameShift - 1;
  /** What silicon sets in entries. */
  const marks = format.accessed | format.dirty;
  /** All copies of a table by node, under each of them: a link leads to the one on its own node. */
  const copies = new Map<Pfn, readonly Pfn[]>();

  function copiesOf(table: Pfn): readonly Pfn[] {
    return copies.get(table) ?? [table];
  }

  function write(table: Pfn, index: number, low: number, high: number): void {
    const children = copies.get(format.frameOf(low, high) as Pfn);
    copiesOf(table).forEach((copy, node) => {
      const child = children?.[node];
      if (child === undefined) return memory.write(copy, index, low, high);
      const childHigh = (child >>> (32 - frameShift)) | nxOf(high);
      memory.write(copy, index, (child << frameShift) | (low & flagBits), childHigh);
    });
  }

  return {
    get tableBytesPeak() {
      return memory.tableBytesPeak;
    },
    nodeOf: (pfn) => memory.nodeOf(pfn),
    readHigh: (table, index) => memory.readHigh(table, index),
    readLow(table, index) {
      const low = memory.readLow(table, index);
      return copiesOf(table).reduce(
        (all, copy) => all | (memory.readLow(copy, index) & marks),
        low,
      );
    },
    write,
    writeEntry(table: Pfn, index: number, frame: number, flags: number, nx = 0) {
      write(table, index, lowHalf(frame, flags), highHalf(frame, nx));
    },
    setLow(table, index, low) {
      write(table, index, low, memory.readHigh(table, index));
    },
    allocateTable(node) {
      const own = memory.allocateTable(node);
      const home = memory.nodeOf(own);
      const all = Array.from({ length: nodes }, (_, at) =>
        at === home ? own : memory.allocateTable(at),
      );
      for (const copy of all) copies.set(copy, all);
      return own;
    },
    /** Only flattened tables ask for several in a row, and those have no copies. */
    allocateTables: () => null,
    freeTable(table) {
      for (const copy of copiesOf(table)) {
        memory.freeTable(copy);
        copies.delete(copy);
      }
    },
    zero(table) {
      for (const copy of copiesOf(table)) memory.zero(copy);
    },
    on: (table, node) => copiesOf(table)[node] ?? table,
  };
}
