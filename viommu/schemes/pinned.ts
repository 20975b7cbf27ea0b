/**
 * No virtual IOMMU: all guest memory is mapped for the device, at guest-physical addresses, for ever.
 *
 * Buys: no exit, no walk of guest tables. Pays: every page is pinned, and nothing protects the guest from its own devices.
 *
 * Source: QEMU 7.2 hw/vfio/common.c `vfio_listener_region_add`.
 */
import { DirectDma } from "../direct-dma.ts";
import { hostSide } from "../host-domain.ts";
import { type DmaScheme, noCounts } from "../scheme.ts";

export const pinned: DmaScheme = {
  title: "No virtual IOMMU: all memory mapped and pinned",
  family: "pinned",
  scalable: false,
  protects: "guest",
  create(machine) {
    const host = hostSide(machine);
    const all = { page: 0, gfn: 0, pages: machine.pages.frames, rights: "read-write" } as const;
    for (const user of host.users) user.map(all);
    return {
      apis: machine.devices.map(() => new DirectDma()),
      counts: () => ({ ...noCounts, ...host.counts() }),
    };
  },
};
