import type { Vcpu } from "./vcpu.ts";

/** A processor of that node runs the vCPU from now on, which has nothing of it cached. Its hypervisor hears `vcpu-run`. */
export function moveVcpu(vcpu: Vcpu, node: number): void {
  vcpu.drain();
  vcpu.node = node;
  vcpu.mmu.moveTo(node);
  vcpu.mmu.flushNested();
}
