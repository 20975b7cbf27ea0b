/** PML with dirty rings in the place of the bitmap, 4096 entries a vCPU as in QEMU's manual. See `dirty/ring.ts`. */
import type { Engine } from "../hypervisor/engine.ts";
import { createEptPml } from "./ept-pml.ts";

export const eptRing: Engine = {
  title: "EPT with PML, dirty rings in the place of the bitmap",
  family: "nested",
  create: createEptPml({ ringEntries: 4096 }),
};
