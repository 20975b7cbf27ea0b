/**
 * Arm with EL2: the guest's stage 1 through a stage 2 of the hypervisor's.
 *
 * The same scheme as EPT with other entries: `TTBR0_EL1`, `TTBR1_EL1` have the guest's roots, `VTTBR_EL2` the hypervisor's and
 * the VMID. 40 bits of intermediate address take two root tables one after another in place of a fourth level
 * (`--levels 4-on-3`). TLBI VAE1, ASIDE1, VMALLE1 in the guest stand for INVLPG and INVPCID and exit to nobody; TLBI
 * VMALLS12E1 is the flush of all that stage 2 had a part in, by VMID. A block is broken, fenced, and only then a table
 * (break-before-make).
 *
 * Model: exits have the names that x86-64 gives them; a stage 2 fault counts as an EPT violation. Bias: none.
 *
 * Model: no fence names one intermediate address (TLBI IPAS2E1, then VMALLE1): what the host takes costs VMALLS12E1. Bias: for
 * shadow, as KVM keeps more of the nested TLB.
 *
 * Source: Arm Architecture Reference Manual for A-profile, D8.2, D8.13 "TLB maintenance", D8.16.1 "Using break-before-make";
 * KVM arch/arm64/kvm/hyp/pgtable.c, whose leaves have AF, and which lets silicon set it.
 */
import { arm as software, armHafdbs as silicon } from "../machine/isa/arm.ts";
import { bareEngine } from "./native.ts";
import { twoStageEngine } from "./two-stages.ts";

export const arm = bareEngine(
  "Arm without virtualization, AF and dirty set by its kernel",
  software,
);
export const armHafdbs = bareEngine("the same with FEAT_HAFDBS: silicon sets them", silicon);
export const armS2 = twoStageEngine(
  software,
  "arm",
  "Arm's two stages, AF and dirty set by software",
);
export const armS2Hafdbs = twoStageEngine(silicon, "arm", "Arm's two stages with FEAT_HAFDBS");
