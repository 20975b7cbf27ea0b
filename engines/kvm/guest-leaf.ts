/**
 * A guest's level-1 entries, read without an access: what prefetch, INVLPG and syncs go by.
 */
import type { Gfn } from "../../machine/address.ts";
import { accessOf, frameOf, isUsable } from "../../machine/formats/x86-entry.ts";
import { withoutWriteIfClean } from "../../hypervisor/guest-walk.ts";
import { type GuestLeaf, policedLeaf } from "./policed.ts";
import type { ShadowKey } from "./shadow-page.ts";
import type { Vm } from "./vm.ts";

/** The guest entry behind entry `index` of the shadow page `key`. */
export function readGuestLeaf(vm: Vm, key: ShadowKey, index: number): GuestLeaf {
  const { guest } = vm;
  const low = guest.readLow(key.gfn, index);
  const high = guest.readHigh(key.gfn, index);
  const gfn = frameOf(low, high) as Gfn;
  return policedLeaf(vm, key, index, {
    gfn,
    access: withoutWriteIfClean(key.access & accessOf(low, high), low),
    usable: isUsable(low, high, 1) && gfn < guest.frames,
  });
}
