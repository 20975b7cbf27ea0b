/**
 * Shadow IO tables by NpCache, the caching mode of AMD's IOMMU: the guest says what it has changed, an aligned part at a time, and
 * the hypervisor walks there and maps by VFIO, on a host with an AMD IOMMU.
 *
 * Buys: nothing is walked that did not change, and a leaf of any power of two is one call. Pays: an exit per part and one to
 * wait, to map and to unmap.
 *
 * Source: Linux 6.1 drivers/iommu/amd/iommu.c `domain_flush_np_cache`, `domain_flush_pages`.
 */
import {
  amdFrame,
  amdNext,
  amdOrder,
  amdRights,
  ANY_SIZE,
} from "../../machine/iommu/amd/entries.ts";
import { amdGuest, amdHostSide, amdSilicon } from "../amd-host.ts";
import { EmulatedAmd } from "../emulated-amd.ts";
import { type DmaScheme, type GuestDma, noCounts, registerExits } from "../scheme.ts";
import type { IoEntries } from "../shadow-walk.ts";
import { ShadowedDevice, walkedFor } from "../shadowed-device.ts";

const entries: IoEntries = {
  rights: amdRights,
  next: (low) => (amdNext(low) === ANY_SIZE ? 0 : amdNext(low)),
  order: amdOrder,
  frame: amdFrame,
};

export const shadowNp: DmaScheme = {
  title: "Shadow IO tables of an AMD IOMMU, walked at the guest's commands (NpCache)",
  family: "shadow",
  scalable: false,
  protects: "page",
  create(machine, { flush }): GuestDma {
    const host = amdHostSide(machine, amdSilicon(machine));
    const emulated = new EmulatedAmd(machine.emulator);
    const memory = machine.emulator;
    const guestFrames = machine.pages.frames;
    const shadows = host.users.map((user, i) => {
      const source = machine.devices[i]?.requestor.source ?? 0;
      return new ShadowedDevice({ source, memory, guestFrames, user, entries });
    });
    for (const shadow of shadows) emulated.addDevice(shadow);
    const apis = amdGuest(machine, emulated, flush);
    return {
      apis,
      counts() {
        return {
          ...noCounts,
          ...host.counts(),
          ...registerExits(emulated.counts),
          ...walkedFor(shadows),
        };
      },
    };
  },
};
