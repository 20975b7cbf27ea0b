/**
 * PVM: lazy shadow paging without virtualization hardware, for a guest whose kernel runs in ring 3 like its programs.
 *
 * Buys: a way out of the guest is an exception of the hypervisor's own kernel, so in a guest of another hypervisor nobody
 * below takes part. Pays: shadow paging, and two ways more than KVM at each guest fault that it cannot prefault.
 *
 * Model: one shadow table serves user and kernel, told apart by U, where PVM has one for each. Bias: for shadow, PVM
 * fills twice what both use.
 *
 * Model: the switcher's own instructions have no price beside that of the CR3 write. Bias: for shadow, by some 90 cycles a
 * system call (PV23-015 less PV23-012, half of it each way).
 *
 * Model: the switcher tells a process's two roots by Linux's PCIDs, where PVM's guest names both in a call; without PCIDs
 * each change enters the hypervisor. A kernel that is not isolated has one root, and PVM's has two always. Bias: for shadow
 * in the latter, for EPT in the former.
 *
 * Source: Huang et al., "PVM: Efficient Shadow Paging for Deploying Secure Containers in Cloud-native Environments"
 * (SOSP 2023).
 */
import type { Engine } from "../hypervisor/engine.ts";
import { shadowPolicies } from "./kvm/policy.ts";
import { createShadowLazy } from "./shadow-lazy.ts";

const create = createShadowLazy({
  ...shadowPolicies.pvm,
  // As `shadow-lazy`, for small guests.
  pageLimit: { permille: 20, min: 1024 },
});

export const pvm: Engine = {
  title: "PVM: lazy shadow without virtualization hardware, the guest's kernel in ring 3",
  family: "shadow",
  withoutHardware: true,
  create,
};
