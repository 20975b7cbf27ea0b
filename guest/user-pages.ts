/**
 * Pages of a program, as the kernel gets at them for it: filled before they are touched, held for a device.
 *
 * Source: Linux mm/gup.c (`populate_vma_page_range`, `pin_user_pages` with FOLL_WRITE).
 */
import { type Gfn, indexAt, type Vpn } from "../machine/address.ts";
import { assert } from "../machine/assert.ts";
import { frameOf } from "../machine/formats/x86-entry.ts";
import type { AddressSpace } from "./address-space.ts";
import { type FaultParts, resolveFault } from "./faults.ts";

/** Fills pages as if each had been touched, without the exceptions. */
export function populate(
  parts: FaultParts,
  space: AddressSpace,
  { from, pages }: { readonly from: number; readonly pages: number },
): void {
  for (let page = from; page < from + pages; page++) {
    const vpn = page as Vpn;
    const vma = space.vmas.find(vpn);
    assert(vma !== undefined, () => `guest: vpn ${vpn} is populated but not mapped`);
    // Writable memory is filled as a store would, so that no shared zeros come in.
    resolveFault(parts, { space, vma, vpn, write: vma.access === "read-write" });
  }
}

/** The frame behind a writable small page, the process's alone now, with a reference for whoever asks. */
export function holdPage(parts: FaultParts, space: AddressSpace, vpn: Vpn): Gfn {
  populate(parts, space, { from: vpn, pages: 1 });
  const { map, tables, frames } = parts;
  const table = tables.tableAt(space, vpn, 1);
  const frame = frameOf(map.load(table, indexAt(vpn, 1)), map.high) as Gfn;
  frames.share(frame);
  return frame;
}
