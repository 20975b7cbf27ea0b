import { scatteredFrames, smallMachine } from "../../../viommu/small-machine.ts";
import { fuzzBeside } from "../../beside/fuzz-beside.ts";
import type { DmaScenario } from "../scenario.ts";

export const pinnedPages: DmaScenario = {
  title:
    "Device and processors together: the host takes no page that a device uses, and a migration loses no write",
  run(see) {
    const { machine, api } = smallMachine("shadow-cm");
    const segments = api.map(scatteredFrames(1), "read-write");
    see("the host cannot swap out a mapped page", !machine.pages.move(4096));
    api.unmap(segments);
    see("and can once it is unmapped", machine.pages.move(4096));
    const options = { scheme: "shadow-cm", engine: "kvm-ept", flush: "strict" } as const;
    for (const seed of [3, 7]) {
      const one = fuzzBeside({ ...options, seed, operations: 200, accessesEach: 12 });
      const counts = `${one.deviceAccesses} accesses of devices, ${one.cpuAccesses} of ${one.vcpus} processors`;
      const host = `${one.hostEvents} acts of the host${one.migrated ? ", migrated" : ""}`;
      see(`${counts}, ${host}: ${one.problem ?? "all right"}`, one.problem === null);
    }
  },
};
