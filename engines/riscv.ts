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
import { svade, svadu } from "../machine/isa/riscv.ts";
import { bareEngine } from "./native.ts";
import { twoStageEngine } from "./two-stages.ts";

export const riscv = bareEngine("RISC-V without virtualization, A and D set by its kernel", svade);
export const riscvSvadu = bareEngine("the same with Svadu: silicon sets A and D", svadu);
export const riscvH = twoStageEngine(
  svade,
  "riscv",
  "RISC-V's two stages, A and D set by software",
);
export const riscvHSvadu = twoStageEngine(svadu, "riscv", "RISC-V's two stages with Svadu");
