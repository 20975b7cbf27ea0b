/**
 * The kernel's own tables follow what they point to: one whose entries lead to another node for the most part is moved there.
 *
 * From the leaves up, through the direct map; one flush for all of it. The root stays: it is read from a cache.
 *
 * Source: Panwar et al., vMitosis (ASPLOS 2021), section 3.2; Achermann et al., "Mitosis" (ASPLOS 2020), section 5.5.
 */
import { entriesPerTable, type Gfn } from "../machine/address.ts";
import { frameOf, isLarge, isPresent } from "../machine/formats/x86-entry.ts";
import { kernelHalf } from "../machine/gva.ts";
import { majority } from "../machine/nodes.ts";
import type { Vcpu } from "../machine/vcpu.ts";
import type { AddressSpace } from "./address-space.ts";
import { Gather } from "./gather.ts";
import { isUsed, type PageTables, type TableParts } from "./page-tables.ts";

type Parts = TableParts & { readonly tables: PageTables };

/** Moves the loaded space's tables, as a kernel thread does that interrupts the program. */
export function balanceLoaded(parts: Parts, vcpu: Vcpu): void {
  const { contexts, tableFrames } = parts;
  vcpu.setPrivilege("supervisor");
  contexts.enterKernel();
  const gather = new Gather(contexts, tableFrames);
  const space = contexts.loaded();
  balance({ parts, space, gather }, space.root, parts.options.levels);
  gather.flushSpace();
  contexts.leaveKernel();
  vcpu.setPrivilege("user");
}

interface Pass {
  readonly parts: Parts;
  readonly space: AddressSpace;
  readonly gather: Gather;
}

/** Moves what lies below the table, and says on which node most of its entries lead. */
function balance(pass: Pass, table: Gfn, level: number): number {
  const { map, frames, options, tableFrames } = pass.parts;
  const counts = Array.from({ length: tableFrames.plan?.count ?? 1 }, () => 0);
  const isRoot = level === options.levels;
  const used = isRoot ? kernelHalf(level) / entriesPerTable ** (level - 1) : entriesPerTable;
  for (let index = 0; index < used; index++) {
    const low = map.load(table, index);
    if (!isUsed(low)) continue;
    const frame = frameOf(low, map.high) as Gfn;
    const isLink = level > 1 && isPresent(low) && !isLarge(low);
    const node = isLink ? moveBelow(pass, { table, index, level }, frame) : frames.nodeOf(frame);
    counts[node] = (counts[node] ?? 0) + 1;
  }
  return majority(counts, frames.nodeOf(table));
}

/** The table linked at `at` and all below it; the node that it is on in the end. */
function moveBelow(
  pass: Pass,
  at: { readonly table: Gfn; readonly index: number; readonly level: number },
  table: Gfn,
): number {
  const { map, frames, tables } = pass.parts;
  const node = balance(pass, table, at.level - 1);
  if (node === frames.nodeOf(table)) return node;
  const to = frames.take(node, "kernel");
  map.copy(to, table);
  tables.storeLink(pass.space, at, to);
  pass.gather.release(table);
  return frames.nodeOf(to);
}
