/** PML with dirty rings in the place of the bitmap, 4096 entries a vCPU as in QEMU's manual. See `dirty/ring.ts`. */
import { type EngineFactory, titled } from "./engine.ts";
import { createEptPml } from "./ept-pml.ts";

export const eptRing: EngineFactory = titled(
  "EPT with PML, dirty rings in the place of the bitmap",
  createEptPml({ ringEntries: 4096 }),
);
