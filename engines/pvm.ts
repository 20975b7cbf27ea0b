/**
 * PVM: lazy shadow paging without virtualization hardware, for a guest whose kernel runs in ring 3 like its programs.
 *
 * Buys: a way out of the guest is an exception of the hypervisor's own kernel, so in a guest of another hypervisor nobody
 * below takes part. Pays: shadow paging, and two ways more than KVM at each guest fault that it cannot prefault.
 *
 * Model: one shadow table serves user and kernel, told apart by U, where PVM has one for each. Bias: for shadow, PVM
 * fills twice what both use.
 *
 * Model: a system call costs what it costs any guest, and CR3 writes of an isolated kernel all enter the hypervisor; PVM's
 * switcher changes tables by itself. Bias: for EPT, beside PVM with isolated kernels.
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
