/**
 * The guest's control registers, as far as paging reads them.
 *
 * Source: SDM vol. 3A 2.5 "Control Registers".
 */
import type { Gfn, PagingLevels } from "./address.ts";

/** The value that MOV to CR3 carries. */
export interface Cr3 {
  readonly root: Gfn;
  readonly pcid: number;
  /** Bit 63: keep this PCID's cached translations. */
  readonly keep: boolean;
}

/** The guest's own control registers, as far as paging reads them. */
export interface Registers {
  /** CR0.WP: supervisor stores respect read-only entries. */
  readonly writeProtect: boolean;
  /** CR4.PGE: global entries survive CR3 writes. */
  readonly globalPages: boolean;
  /** CR4.PCIDE. */
  readonly pcid: boolean;
  /** CR4.LA57 decides: 4 or 5. */
  readonly levels: PagingLevels;
  /** CR4.CET and its MSRs: shadow stacks are on, in both modes. Absent: no. */
  readonly shadowStacks?: boolean;
}

/** The one of `known` that silicon loads for this value, if there is one. */
export function knownRoot<
  Root extends Pick<Cr3, "root" | "pcid"> & { readonly keepsOnly: boolean },
>(known: readonly Root[], { root, pcid, keep }: Cr3): Root | undefined {
  return known.find((one) => one.root === root && one.pcid === pcid && (keep || !one.keepsOnly));
}
