/**
 * A guest's driver on an emulated IOMMU whose tables are shadowed: the parts, for what no scheme's driver does.
 */
import { IntelIommu } from "../../linux/iommu/intel.ts";
import { emulatedCapabilities } from "../../viommu/dma-machine.ts";
import { EmulatedVtd } from "../../viommu/emulated-vtd.ts";
import { hostSide } from "../../viommu/host-domain.ts";
import { ShadowedDevice } from "../../viommu/shadowed-device.ts";
import { smallMachine } from "../../viommu/small-machine.ts";

export function shadowedGuest() {
  const { machine, device } = smallMachine("pinned");
  const [user] = hostSide(machine).users;
  if (user === undefined) throw new Error("bug: no device");
  const vtd = new EmulatedVtd(machine.guest, { ...emulatedCapabilities, cachingMode: true });
  const { source } = device.requestor;
  /** Where the device gets to between the two calls of a replacement. */
  const during: (number | null)[] = [];
  let watched: number | null = null;
  const asking = {
    map: (range: Parameters<typeof user.map>[0]) => user.map(range),
    unmap(page: number, pages: number) {
      user.unmap(page, pages);
      if (watched !== null) during.push(machine.access(device, watched, "read"));
    },
  };
  const options = { source, memory: machine.guest, guestFrames: machine.pages.frames };
  const shadow = new ShadowedDevice({ ...options, user: asking });
  vtd.addDevice(shadow);
  const domain = new IntelIommu(vtd, machine.guest).createDomain();
  domain.attach({ source, ats: false });
  /** From now on the device asks for that page there. */
  const watch = (page: number) => {
    watched = page;
  };
  return { machine, device, domain, shadow, during, watch };
}
