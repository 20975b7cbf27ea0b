/**
 * Lazy shadow paging, as Linux KVM does it: tables shadowed on demand, leaf tables left out of sync.
 *
 * Buys: a guest store to a leaf table costs one exit per table and flush, not one per store; shadows survive
 * CR3 loads and are found again.
 * Pays: every #PF, INVLPG and CR3 load exits; first touches take hidden faults; upper tables are emulated.
 *
 * Source: KVM mmu.rst; the counts in results/groundtruth, which the variants reproduce exactly.
 */
import type { Controls } from "../machine/controls.ts";
import type { Resolution, VmExit } from "../machine/exits.ts";
import type { Registers } from "../machine/registers.ts";
import { shadowControls, unaskedExit } from "../hypervisor/controls.ts";
import type { CreateEngine, Engine } from "../hypervisor/engine.ts";
import type { Hypervisor } from "../hypervisor/hypervisor.ts";
import { answerHost, notifierOf } from "./kvm/host-events.ts";
import { invalidateIn } from "./kvm/invalidate.ts";
import { answerPageFault } from "./kvm/page-fault.ts";
import { type ShadowPolicy, shadowPolicies } from "./kvm/policy.ts";
import { prefault } from "./kvm/prefault.ts";
import {
  enterGuest,
  pcidOf,
  releaseRoots,
  switchRoot,
  syncRoots,
  followSwitch,
} from "./kvm/roots.ts";
import { PcidRoots } from "../hypervisor/pcid-roots.ts";
import { denyRoot } from "../hypervisor/policy/judge.ts";
import { asShadowsCan } from "../hypervisor/policy/memory-policy.ts";
import { createVm, flushRemote, type VcpuState, type Vm } from "./kvm/vm.ts";
import { zapAll } from "./kvm/zap.ts";

/** A lazy shadow engine with the given policy. */
export function createShadowLazy(policy: ShadowPolicy): CreateEngine {
  return (platform, options) => {
    const vm = createVm(platform, { policy, kind: "shadow", options });
    vm.guest.attach(notifierOf(vm));
    vm.memoryPolicy?.attach({
      name: "shadow-lazy",
      ...asShadowsCan,
      enforce() {
        // Shadows made by the rules before go, for silicon must not find anything wider in them.
        zapAll(vm);
        flushRemote(vm);
        for (const state of vm.states) if (state.root?.page.invalid) reenter(vm, state);
      },
    });
    return lazyShadow(vm);
  };
}

/** Shadows of the tables that the VM's vCPUs have in CR3. */
export function lazyShadow(vm: Vm): Hypervisor {
  const { hasVpid } = vm.platform;
  const pcidRoots: PcidRoots[] = [];
  return {
    memory: vm.guest,

    boot(vcpu, cr3, registers) {
      const state: VcpuState = {
        vcpu,
        registers,
        root: null,
        previous: Array.from({ length: vm.policy.cachedRoots }, () => null),
        freeRoots: false,
        syncRoot: false,
        retriedVpn: -1,
        reflected: [],
        unsyncPages: [],
      };
      pcidRoots[vcpu.id] = new PcidRoots();
      pcidRoots[vcpu.id]!.load(cr3);
      vm.states[vcpu.id] = state;
      vcpu.setControls(controlsFor(vm, registers));
      serve(vm, state);
      vm.serving = vcpu;
      enterGuest(vm, state);
      vm.serving = null;
    },

    exit(exit, vcpu) {
      const state = vm.states[vcpu.id]!;
      serve(vm, state);
      vm.guest.balance();
      vm.serving = vcpu;
      // Of a load the vCPU has the new root by now; it is looked up like any.
      if (exit.reason !== "cr3-write") followSwitch(vm, state);
      // Requests of other vCPUs are normally served when this one is scheduled; at the latest now.
      if (state.freeRoots || state.root === null) enterGuest(vm, state);
      if (exit.reason === "cr3-write" && pcidRoots[vcpu.id]!.load(exit.cr3)) {
        vcpu.mmu.flushContext(exit.cr3.pcid);
      }
      const resolution = answer(vm, state, exit);
      enterGuest(vm, state);
      vm.serving = null;
      return resolution;
    },

    host(event) {
      for (const state of vm.states) followSwitch(vm, state);
      if (event.kind === "vcpu-run") {
        const state = vm.states[event.vcpu]!;
        serve(vm, state);
        vm.serving = state.vcpu;
        enterGuest(vm, state);
        vm.serving = null;
        // Without VPID the entry flushes, and whatever another vCPU did meanwhile is seen.
        if (!hasVpid) state.vcpu.mmu.flushLinear();
        return [];
      }
      serve(vm, vm.states[0]!);
      return answerHost(vm, event);
    },
  };
}

export const shadowLazy: Engine = {
  title: "lazy shadow as KVM does it: leaf tables out of sync until a flush",
  family: "shadow",
  create: createShadowLazy({
    ...shadowPolicies["kvm-6.12"],
    // KVM's share of 2 %, but enough for the small guests of a sweep, whose tables are denser than a real one's.
    pageLimit: { permille: 20, min: 1024 },
  }),
};

export const shadowLazyKvm61: Engine = {
  title: "lazy shadow exactly as Linux 6.1 counts it",
  family: "shadow",
  create: createShadowLazy(shadowPolicies["kvm-6.1"]),
};
export const shadowLazyKvm612: Engine = {
  title: "lazy shadow exactly as Linux 6.12 counts it",
  family: "shadow",
  create: createShadowLazy(shadowPolicies["kvm-6.12"]),
};
export const shadowLazyXen: Engine = {
  title: "lazy shadow with Xen's rules: three tables out of sync per vCPU",
  family: "shadow",
  create: createShadowLazy(shadowPolicies.xen),
};

/** The vCPU leaves a root that is gone and walks a new one from now on. */
function reenter(vm: Vm, state: VcpuState): void {
  serve(vm, state);
  vm.serving = state.vcpu;
  enterGuest(vm, state);
  vm.serving = null;
}

/** What follows is done for this vCPU, and counted as its own. */
function serve(vm: Vm, state: VcpuState): void {
  vm.current = state;
  vm.ledger = state.vcpu.ledger;
}

/** The shadow is walked with WP set, whatever the guest says: its entries carry what the guest's WP means. */
function controlsFor({ platform, policy }: Vm, registers: Registers): Controls {
  const { deprivileged } = policy;
  // KVM offers shadow stacks with nested tables alone: a leaf that it write-protects would look like a page of theirs.
  const walk = { ...registers, writeProtect: true, shadowStacks: false };
  const controls = shadowControls(walk, platform.hasVpid);
  // A deprivileged guest has its CR3 in a variable of its own (PVM's `pvm_read_cr3`).
  return { ...controls, deprivileged, exitOnIret: deprivileged, exitOnCr3Read: !deprivileged };
}

function answer(vm: Vm, state: VcpuState, exit: VmExit): Resolution {
  const { vcpu } = state;
  switch (exit.reason) {
    case "page-fault":
      return answerPageFault(vm, state, exit);
    case "cr3-write":
      if (vm.memoryPolicy?.isHidden(exit.cr3.root)) {
        return denyRoot(vm.memoryPolicy, vcpu, exit.cr3.root);
      }
      switchRoot(vm, state);
      if (!exit.cr3.keep) flushPcid(vm, state, exit.cr3.pcid);
      return "resume";
    case "invlpg":
      vcpu.mmu.invalidatePage(exit.vpn);
      for (const root of [state.root, ...state.previous]) {
        if (root !== null) invalidateIn(vm, root.page, exit.vpn);
      }
      return "resume";
    case "invpcid":
      invpcid(vm, state, exit);
      return "resume";
    case "cr0-write":
    case "cr4-write":
      writeRegisters(vm, state, exit.registers);
      return "resume";
    case "iret":
      return vm.policy.deprivileged ? prefault(vm, state) : unaskedExit("shadow-lazy", exit);
    case "cr3-read":
      return vm.policy.deprivileged ? unaskedExit("shadow-lazy", exit) : "resume";
    case "cpuid":
    case "other":
      return "resume";
    case "ept-violation":
    case "pml-full":
    case "ept-misconfiguration":
    case "sub-page-event":
      return unaskedExit("shadow-lazy", exit);
  }
}

/** The guest flushes a PCID: the current root is synced before entry, cached ones of that PCID are forgotten. */
function flushPcid(vm: Vm, state: VcpuState, pcid: number): void {
  const { vcpu } = state;
  if (vcpu.cr3.pcid === pcid) {
    state.syncRoot = true;
    vcpu.mmu.flushLinear();
  }
  // Without PCIDs every CR3 load flushes, so a cached root is synced whenever it is loaded.
  if (!vcpu.registers.pcid) return;
  releaseRoots(vm, state, (root) => root !== state.root && pcidOf(root) === pcid);
}

function invpcid(vm: Vm, state: VcpuState, exit: Extract<VmExit, { reason: "invpcid" }>): void {
  const { mmu } = state.vcpu;
  mmu.flushLinear();
  if (exit.type === "context") {
    flushPcid(vm, state, exit.pcid);
  } else if (exit.type === "address") {
    for (const root of [state.root, ...state.previous]) {
      if (root !== null && pcidOf(root) === exit.pcid) invalidateIn(vm, root.page, exit.vpn);
    }
  } else {
    flushEverything(vm, state);
  }
}

/** Every translation of this vCPU is flushed: cached roots that are out of sync are forgotten. */
function flushEverything(vm: Vm, state: VcpuState): void {
  syncRoots(vm, state);
  releaseRoots(vm, state, (root) => root !== state.root && root.page.unsyncChildren > 0);
  state.vcpu.mmu.flushLinear();
}

/** A change of mode needs other shadows; a change of PGE, or of PCIDE to 0, flushes everything. */
function writeRegisters(vm: Vm, state: VcpuState, registers: Registers): void {
  const { vcpu, registers: before } = state;
  state.registers = registers;
  const isOtherMode =
    before.writeProtect !== registers.writeProtect ||
    before.levels !== registers.levels ||
    (!before.pcid && registers.pcid);
  if (isOtherMode) releaseRoots(vm, state, () => true);
  else if (before.globalPages !== registers.globalPages || before.pcid !== registers.pcid) {
    flushEverything(vm, state);
  }
  vcpu.setControls(controlsFor(vm, registers));
}
