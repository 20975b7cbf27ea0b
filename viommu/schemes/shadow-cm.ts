/**
 * Shadow IO tables by caching mode: the guest says what it has changed, the hypervisor walks there and maps by VFIO.
 *
 * Buys: no table is protected; one exit for a mapping of any size. Pays: an exit to map and one to unmap, a call per leaf,
 * and the guest may not be lazy.
 *
 * Source: QEMU 7.2 hw/i386/intel_iommu.c; VT-d specification 6.1 "Caching Mode".
 */
import { emulatedCapabilities } from "../dma-machine.ts";
import { EmulatedVtd } from "../emulated-vtd.ts";
import { intelGuest } from "../guest-driver.ts";
import { hostSide } from "../host-domain.ts";
import { type DmaScheme, type GuestDma, noCounts, registerExits } from "../scheme.ts";
import { ShadowedDevice, walkedFor } from "../shadowed-device.ts";

export const shadowCm: DmaScheme = {
  title: "Shadow IO tables, walked at the guest's invalidations (caching mode)",
  family: "shadow",
  scalable: false,
  protects: "page",
  create(machine, { flush }): GuestDma {
    const host = hostSide(machine);
    const vtd = new EmulatedVtd(machine.emulator, { ...emulatedCapabilities, cachingMode: true });
    const shadows = machine.devices.flatMap(({ requestor }, i) => {
      const user = host.users[i];
      if (user === undefined) return [];
      const { source } = requestor;
      const guestFrames = machine.pages.frames;
      return [new ShadowedDevice({ source, memory: machine.emulator, guestFrames, user })];
    });
    for (const shadow of shadows) vtd.addDevice(shadow);
    const apis = intelGuest(machine, vtd, flush);
    return {
      apis,
      counts() {
        return {
          ...noCounts,
          ...host.counts(),
          ...registerExits(vtd.counts),
          ...walkedFor(shadows),
        };
      },
    };
  },
};
