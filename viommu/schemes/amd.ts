/**
 * No guest: Linux on hardware with an AMD IOMMU.
 *
 * Buys: pages of any power of two, so that scattered buffers of 64 KiB are one entry of the IOTLB. Pays: two commands and two
 * register writes where Intel's queue takes both with one.
 */
import { amdGuest, amdSilicon } from "../amd-host.ts";
import { type DmaScheme, noCounts } from "../scheme.ts";

export const amd: DmaScheme = {
  title: "Linux on hardware, an AMD IOMMU in use",
  family: "bare",
  scalable: false,
  protects: "page",
  create(machine, { flush }) {
    const silicon = amdSilicon(machine);
    return {
      apis: amdGuest(machine, silicon, flush),
      counts: () => ({ ...noCounts, hostSubmissions: silicon.counts.ledger.tailWrites }),
    };
  },
};
