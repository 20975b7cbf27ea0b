/**
 * Shadow IO tables by caching mode, and a guest that tears mappings down optimistically.
 *
 * Buys: a driver that maps again what it has just unmapped costs no exit. Pays: unmapped pages stay reachable for 10 ms.
 *
 * Source: Amit 2011 (vIOMMU, USENIX ATC), section 5.
 */
import { OptimisticDma } from "../../linux/iommu/optimistic.ts";
import type { DmaScheme } from "../scheme.ts";
import { shadowCm } from "./shadow-cm.ts";

export const optimistic: DmaScheme = {
  ...shadowCm,
  title: "Caching mode, and mappings that stay a while for the next time (optimistic teardown)",
  create(machine, options) {
    const inner = shadowCm.create(machine, options);
    const apis = inner.apis.map((api) => new OptimisticDma(api, machine.clock));
    return { apis, counts: () => inner.counts() };
  },
};
