import { fastMmu } from "../../../machine/fast.ts";
import { DeviceDirtyLog, DirtyBitsHost, pinnedIsDirty } from "../../../viommu/dirty-dma.ts";
import { DmaMachine } from "../../../viommu/dma-machine.ts";
import { smallMachine } from "../../../viommu/small-machine.ts";
import type { DmaScenario } from "../scenario.ts";

const written = [77, 600, 601];

export const dirtyTracking: DmaScenario = {
  title: "Dirty tracking of DMA: second-level D bits, a device's own log, all that is pinned",
  run(see) {
    for (const [backing, expected] of [
      ["4k", 3],
      ["2m", 2 * 512],
    ] as const) {
      const machine = new DmaMachine({
        guestFrames: 4096,
        isBare: false,
        backing,
        preset: "vt-d",
        factory: fastMmu,
        devices: 1,
        scalable: true,
        ats: false,
        seed: 3,
      });
      const bits = new DirtyBitsHost(machine);
      const [device] = machine.devices;
      if (device === undefined) throw new Error("bug: no device");
      for (const gfn of written) machine.iommu.access(device, gfn, "write");
      machine.iommu.access(device, 5, "read");
      const { size } = bits.collect();
      see(`D bits, host pages of ${backing}: 3 pages written, ${size} reported`, size === expected);
      machine.iommu.access(device, 77, "write");
      see("one written again is reported again", bits.collect().has(77));
    }
    const log = new DeviceDirtyLog(0, Infinity);
    for (const page of written) log.wrote(page);
    const found = [...log.collect((page) => (page === 601 ? null : page))];
    see("a device's log has no page of a mapping that is gone", found.join() === "77,600");
    const { machine, api } = smallMachine("shadow-cm");
    api.map([{ frame: 4096, pages: 6 }], "read");
    const { size } = pinnedIsDirty(machine);
    see(`by what is pinned: 6 pages mapped to be read, ${size} reported`, size === 6);
    const { size: all } = pinnedIsDirty(smallMachine("pinned").machine);
    see(`without a virtual IOMMU: all ${all}`, all === 8192);
  },
};
