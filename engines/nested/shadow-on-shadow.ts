/**
 * L1 shadows, and so does L0: L0's shadow of L1's shadow tables is what silicon walks for L2.
 *
 * Buys: needs no nested paging from silicon. Pays: L1's stores into its tables exit as a guest's do, and what L1 mapped
 * faults once more for L0.
 *
 * Source: rules 6 and 7 of results/groundtruth/nested.
 */
import type { Registers } from "../../machine/registers.ts";
import type { Hypervisor } from "../../hypervisor/hypervisor.ts";
import { type Level0, mergedControls } from "./level0.ts";
import type { NestedCpu } from "./nested-cpu.ts";

export function shadowOnShadow(hypervisor: Hypervisor): Level0 {
  /** L0's vCPU has another CR3 from now on, which is all that its engine needs to hear. */
  function load({ outer }: NestedCpu): void {
    hypervisor.exit({ reason: "cr3-write", cr3: outer.cr3 }, outer);
  }

  return {
    hypervisor,
    enter(cpu) {
      const { outer, inner, l2 } = cpu;
      const { controls, root } = inner.block;
      const walk: Registers = { ...(controls.walk ?? l2.registers), pcid: false };
      outer.isInL2 = true;
      outer.cr3 = { root: root as number as typeof outer.cr3.root, pcid: 0, keep: false };
      outer.registers = walk;
      load(cpu);
      l2.setControls(
        mergedControls(controls, outer.controls, { walk: { ...walk, writeProtect: true } }),
      );
    },
    leave(cpu) {
      const { outer, l1 } = cpu;
      outer.isInL2 = false;
      outer.cr3 = l1.cr3;
      outer.registers = l1.registers;
      load(cpu);
    },
    answer(exit, { outer }) {
      if (exit.reason !== "page-fault") return { reflect: exit };
      const resolution = hypervisor.exit(exit, outer);
      // L1's tables refuse the access: it is L1's fault to handle, with the error code that they give.
      if (typeof resolution === "object") return { reflect: { ...exit, error: resolution.inject } };
      return resolution;
    },
    invalidatePage(vpn, { outer, l2 }) {
      l2.mmu.invalidatePage(vpn);
      hypervisor.exit({ reason: "invlpg", vpn }, outer);
    },
  };
}
