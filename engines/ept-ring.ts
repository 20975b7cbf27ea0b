/** PML with dirty rings in the place of the bitmap, 4096 entries a vCPU as in QEMU's manual. See `dirty/ring.ts`. */
import type { EngineFactory } from "./engine.ts";
import { createEptPml } from "./ept-pml.ts";

export const eptRing: EngineFactory = createEptPml({ ringEntries: 4096 });
