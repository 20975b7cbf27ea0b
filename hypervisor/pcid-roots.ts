/**
 * Which root each PCID of a vCPU was loaded with last, for shadow engines.
 *
 * A guest may load another root under a PCID and keep what is cached. On silicon its next INVLPG still drops a
 * whole large page of the old root; under shadow paging on small host pages silicon holds that page in pieces,
 * of which INVLPG names one. So the pieces go when the root changes, which costs the guest only misses.
 *
 * Source: SDM vol. 3A 4.10.2.3 "Details of TLB Use", 4.10.4.1 (software sees one page, whatever is cached).
 */
import type { Gfn } from "../machine/address.ts";
import type { Cr3 } from "../machine/registers.ts";

export class PcidRoots {
  private readonly roots = new Map<number, Gfn>();

  /** Notes the load; true if the PCID had another root until now. */
  load({ root, pcid }: Cr3): boolean {
    const before = this.roots.get(pcid);
    this.roots.set(pcid, root);
    return before !== undefined && before !== root;
  }
}
