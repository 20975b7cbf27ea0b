import { readDeviceParams } from "../catalogue.ts";
import { runDma } from "../run-dma.ts";
import type { DmaScenario } from "../scenario.ts";

export const prefetch: DmaScenario = {
  title: "Sequential prefetch: a flat ring with the next entry fetched ahead (rIOMMU)",
  run(see) {
    const program = "nic-ring";
    const params = readDeviceParams(program, ["packets=2000"]);
    const options = {
      flush: "strict",
      backing: "4k",
      preset: "vt-d",
      seed: 1,
      check: true,
    } as const;
    const row = (scheme: "bare" | "riommu") => runDma({ ...options, scheme, program, params });
    const [tree, ring] = [row("bare"), row("riommu")];
    see(
      `2000 packets: ${tree.tlbMisses} IOTLB misses by a tree, ${ring.tlbMisses} by a ring`,
      ring.tlbMisses < tree.tlbMisses / 3,
    );
    see(
      `${tree.hostSubmissions} invalidations, and ${ring.hostSubmissions}`,
      ring.hostSubmissions < tree.hostSubmissions / 20,
    );
    see(`${ring.checked} accesses checked`, ring.checked > 0 && ring.mismatches === 0);
  },
};
