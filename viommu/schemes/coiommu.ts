/**
 * coIOMMU: the guest tells by a shared table which pages devices may use; the hypervisor pins those, and unpins lazily what has
 * been idle.
 *
 * Buys: memory that no device uses need not be pinned, and unmapping never exits. Pays: an exit for pages that are not pinned
 * yet, and no protection inside the guest: a device reaches whatever is pinned.
 *
 * Source: Tian 2020 (coIOMMU, USENIX ATC), section 4.3 "Smart Pinning"; the scan's period is assumed.
 */
import { CoIommuDma, TrackingTable } from "../../linux/iommu/coiommu.ts";
import { hostSide } from "../host-domain.ts";
import { type DmaScheme, type GuestDma, noCounts } from "../scheme.ts";

/** Microseconds between two scans for idle pages. */
const scanEvery = 20_000;

export const coiommu: DmaScheme = {
  title: "coIOMMU: a shared table of pages in use, pinned on demand, unpinned when idle",
  family: "paravirtual",
  scalable: false,
  protects: "guest",
  create(machine): GuestDma {
    const host = hostSide(machine);
    const sides = host.users.map((user) => {
      const table = new TrackingTable(machine.guest);
      const dma = new CoIommuDma(table, (gfns) => {
        for (const gfn of gfns) {
          // One call may name a page twice.
          if (table.read(gfn).isPinned) continue;
          user.map({ page: gfn, pages: 1, gfn, rights: "read-write" });
          table.write(gfn, { ...table.read(gfn), isPinned: true });
        }
      });
      return { user, table, dma };
    });
    const scan = () => {
      for (const { user, table } of sides) {
        for (const gfn of table.tracked()) {
          const entry = table.read(gfn);
          if (!entry.isPinned || entry.count > 0) continue;
          if (entry.isAccessed) {
            // Idle since the last scan, but not for long: one more round.
            table.write(gfn, { ...entry, isAccessed: false });
            continue;
          }
          table.write(gfn, { ...entry, isPinned: false });
          user.unmap(gfn, 1);
        }
      }
      machine.clock.after(scanEvery, scan);
    };
    machine.clock.after(scanEvery, scan);
    return {
      apis: sides.map(({ dma }) => dma),
      counts() {
        const exits = sides.reduce((sum, { dma }) => sum + dma.requests, 0);
        return { ...noCounts, ...host.counts(), exits, exitsRequest: exits };
      },
    };
  },
};
