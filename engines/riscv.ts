/**
 * RISC-V with the hypervisor extension: the guest's Sv39, Sv48 or Sv57 tables through a G-stage of the hypervisor's.
 *
 * The same scheme as EPT with other entries: `vsatp` has the guest's root, `hgatp` the hypervisor's, whose table is four
 * times as large (Sv39x4). SFENCE.VMA in the guest stands for INVLPG and INVPCID and exits to nobody; HFENCE.GVMA is the
 * flush of what the G-stage had a part in. Without Svadu, A and D are software's in both stages: the guest's kernel takes a
 * page fault to set them, the hypervisor sets both when it maps.
 *
 * Model: exits have the names that x86-64 gives them; a guest-page fault counts as an EPT violation. Bias: none.
 *
 * Model: a fault drops the translation that it was about, as x86-64's do; a hart need not. Bias: none, the kernel fences what
 * it has changed all the same.
 *
 * Source: RISC-V privileged specification, "Two-Stage Address Translation", "Memory-Management Fences"; KVM
 * arch/riscv/kvm/gstage.c, whose leaves have A and D.
 */
import { noTracker } from "../hypervisor/dirty/tracker.ts";
import type { Engine } from "../hypervisor/engine.ts";
import type { Isa } from "../machine/isa/isa.ts";
import { svade, svadu } from "../machine/isa/riscv.ts";
import { createNested } from "./ept.ts";
import { bareEngine } from "./native.ts";

function hypervisorOn(isa: Isa, title: string): Engine {
  const accessedDirty = isa.marks === "silicon";
  return {
    title,
    family: "nested",
    isa,
    create: (platform) =>
      createNested(platform, { format: "riscv", accessedDirty, isa, tracker: noTracker }),
  };
}

export const riscv = bareEngine("RISC-V without virtualization, A and D set by its kernel", svade);
export const riscvSvadu = bareEngine("the same with Svadu: silicon sets A and D", svadu);
export const riscvH = hypervisorOn(svade, "RISC-V's two stages, A and D set by software");
export const riscvHSvadu = hypervisorOn(svadu, "RISC-V's two stages with Svadu");
