/**
 * L1 shadows, L0 has nested tables: silicon walks L1's shadow tables in L1's memory, and L0's nested ones below.
 *
 * Buys: L0 never sees what L1 stores. Pays: each exit of L1's is a round trip through L0.
 *
 * Model: L2 runs on the nested tables that L1 runs on, where KVM keeps a second tree for guest mode. Bias: for shadow, by
 * one violation for each host page.
 *
 * Source: rule 9 of results/groundtruth/nested.
 */
import type { Hypervisor } from "../../hypervisor/hypervisor.ts";
import { isAskedBy, type Level0, mergedControls } from "./level0.ts";

export function shadowOnNested(hypervisor: Hypervisor): Level0 {
  return {
    hypervisor,
    enter({ outer, inner, l2 }) {
      const { block } = inner;
      outer.isInL2 = true;
      l2.setControls(mergedControls(block.controls, outer.controls, {}));
      if (block.isRootNew) l2.setHardwareRoot(block.root, block.pcid);
    },
    leave({ outer }) {
      outer.isInL2 = false;
    },
    answer(exit, { outer, inner }) {
      const isL1s = isAskedBy(inner.block.controls, exit);
      return isL1s ? { reflect: exit } : hypervisor.exit(exit, outer);
    },
    invalidatePage(vpn, { l2 }) {
      l2.mmu.invalidatePage(vpn);
    },
  };
}
