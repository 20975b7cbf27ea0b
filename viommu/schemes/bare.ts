/**
 * No guest: Linux on the hardware, its IOMMU its own.
 *
 * Buys: an invalidation is a store to a register, not an exit. Pays: nothing more than any protection does.
 */
import { intelGuest } from "../guest-driver.ts";
import { type DmaScheme, noCounts } from "../scheme.ts";

export const bare: DmaScheme = {
  title: "Linux on hardware, IOMMU in use",
  family: "bare",
  scalable: false,
  protects: "page",
  create: (machine, { flush }) => ({
    apis: intelGuest(machine, machine.iommu, flush),
    counts: () => ({ ...noCounts, hostSubmissions: machine.iommu.counts.ledger.tailWrites }),
  }),
};
