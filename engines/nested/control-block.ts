/** What a hypervisor says of its guest's vCPU. */
import type { Gfn, Pfn } from "../../machine/address.ts";
import type { Controls } from "../../machine/controls.ts";

/** What VMRUN loads. */
export interface ControlBlock {
  controls: Controls;
  root: Gfn | Pfn;
  pcid: number;
  /** L1 loaded a root since the last VMRUN; where L2's CR3 writes do not exit, the one there is L2's own. */
  isRootNew: boolean;
}
