/**
 * virtio-iommu: the guest asks for mappings by requests, the hypervisor keeps them.
 *
 * Buys: no guest tables to walk, and a request of any size is a call per aligned power of two. Pays: an exit to map, as under
 * caching mode; unmapping may be lazy.
 *
 * Source: QEMU 7.2 hw/virtio/virtio-iommu.c `virtio_iommu_map`, `virtio_iommu_notify_map`.
 */
import { readRequests, VirtioDomain, VirtioIommu } from "../../linux/iommu/virtio.ts";
import { linuxDma } from "../guest-driver.ts";
import { hostSide } from "../host-domain.ts";
import { type DmaScheme, type GuestDma, noCounts } from "../scheme.ts";
import { alignedParts } from "../shadowed-device.ts";

export const virtio: DmaScheme = {
  title: "virtio-iommu: requests instead of tables",
  family: "paravirtual",
  scalable: false,
  protects: "page",
  create(machine, { flush }): GuestDma {
    const host = hostSide(machine);
    let head = 0;
    const onKick = (tail: number) => {
      for (const request of readRequests(machine.emulator, iommu.ring, { head, tail })) {
        const user = host.users[request.endpoint];
        for (const { page, pages } of alignedParts(request.page, request.page + request.pages)) {
          if (request.kind === "unmap") {
            user?.unmap(page, pages);
            continue;
          }
          const gfn = request.frame + page - request.page;
          user?.map({ page, pages, gfn, rights: request.rights });
        }
      }
      head = tail;
    };
    const iommu = new VirtioIommu(machine.guest, onKick);
    const apis = machine.devices.map((_, i) =>
      linuxDma(machine, new VirtioDomain(iommu, i), flush),
    );
    return {
      apis,
      counts: () => ({
        ...noCounts,
        ...host.counts(),
        exits: iommu.kicks,
        exitsRequest: iommu.kicks,
      }),
    };
  },
};
