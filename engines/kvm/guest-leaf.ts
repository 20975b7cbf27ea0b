/**
 * A guest's level-1 entries, read without an access: what prefetch, INVLPG and syncs go by.
 */
import type { Gfn } from "../../machine/address.ts";
import { A, frameOf, P } from "../../machine/entry.ts";
import type { GuestMemory } from "../../hypervisor/hypervisor.ts";
import { guestAccess, hasReserved, withoutWriteIfClean } from "../../hypervisor/guest-walk.ts";
import type { ShadowKey } from "./shadow-page.ts";

export interface GuestLeaf {
  readonly gfn: Gfn;
  /** Rights through the shadow page; W only if D is set. */
  readonly access: number;
  /** Present, accessed, no reserved bit, and its frame exists: it may be mapped although no access asks for it. */
  readonly usable: boolean;
}

/** The guest entry behind entry `index` of the shadow page `key`. */
export function readGuestLeaf(guest: GuestMemory, key: ShadowKey, index: number): GuestLeaf {
  const low = guest.readLow(key.gfn, index);
  const high = guest.readHigh(key.gfn, index);
  const gfn = frameOf(low, high) as Gfn;
  const isAccessed = (low & (P | A)) === (P | A);
  return {
    gfn,
    access: withoutWriteIfClean(key.access & guestAccess(low, high), low),
    usable: isAccessed && !hasReserved(low, high, 1) && gfn < guest.frames,
  };
}
