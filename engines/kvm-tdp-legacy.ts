/**
 * NPT as Linux KVM drove it before the TDP MMU: the shadow machinery with direct pages only.
 *
 * Buys: a fault fills the aligned group of 8 entries. Pays: one lock, a page limit, and a 2 MiB entry is
 * dropped, not split, at the first write under dirty logging, so that its neighbours fault one by one.
 *
 * Source: KVM arch/x86/kvm/mmu/mmu.c with tdp_mmu=0; rules 4, 11, 12 and 17 of results/groundtruth.
 */
import { indexAt, type Gfn, type Pfn, type Vpn } from "../machine/address.ts";
import { P, W } from "../machine/entry.ts";
import type { Resolution, VmExit } from "../machine/exits.ts";
import { nestedControls, unaskedExit } from "../hypervisor/controls.ts";
import { answerMmio } from "../hypervisor/memory/slots.ts";
import type { Hypervisor } from "../hypervisor/hypervisor.ts";
import type { VirtualCpu } from "../machine/virtual-cpu.ts";
import { nptStage, twoStages } from "../machine/stages.ts";
import type { Platform } from "../hypervisor/platform.ts";
import type { Engine, EngineOptions } from "../hypervisor/engine.ts";
import { ACC_ALL } from "../hypervisor/guest-walk.ts";
import { emulate } from "./kvm/emulate.ts";
import { childOf, isLeaf, MMU_WRITABLE, readLow } from "./kvm/entries.ts";
import { directChild, mappingLevel, prefetchAround } from "./kvm/fetch.ts";
import { getPage } from "./kvm/find-page.ts";
import { answerHost, notifierOf } from "./kvm/host-events.ts";
import { setLeaf } from "./kvm/leaf.ts";
import { shadowPolicies } from "./kvm/policy.ts";
import type { ShadowPage } from "./kvm/shadow-page.ts";
import { createVm, type Vm } from "./kvm/vm.ts";
import { makeRoom } from "./kvm/zap.ts";

function createKvmTdpLegacy(platform: Platform, options?: EngineOptions): Hypervisor {
  const vm = createVm(platform, { policy: shadowPolicies["kvm-6.1"], kind: "nested", options });
  vm.guest.attach(notifierOf(vm));
  return directTables(vm);
}

/** One tree of direct pages for all of the VM's memory, on whichever of its vCPUs. */
export function directTables(vm: Vm): Hypervisor {
  const { nestedLevels, hasVpid } = vm.platform;
  let root: ShadowPage | null = null;
  return {
    memory: vm.guest,

    boot(vcpu, cr3, registers) {
      vm.ledger = vcpu.ledger;
      vm.states[vcpu.id] = {
        vcpu,
        registers,
        root: null,
        previous: [],
        freeRoots: false,
        syncRoot: false,
        retriedVpn: -1,
        unsyncPages: [],
      };
      makeRoom(vm);
      const key = { gfn: 0 as Gfn, level: nestedLevels, access: ACC_ALL, direct: true, role: 0 };
      root = getPage(vm, { ...key, writeProtect: true });
      root.rootCount += 1;
      const nested = nptStage(root.table, nestedLevels);
      // CR4 writes are always intercepted on SVM.
      const controls = nestedControls(twoStages(nested), hasVpid);
      vcpu.setControls({ ...controls, exitOnCr0Write: true, exitOnCr4Write: true });
      vcpu.setHardwareRoot(cr3.root, cr3.pcid);
    },

    exit(exit, vcpu) {
      vm.ledger = vcpu.ledger;
      vm.guest.balance();
      switch (exit.reason) {
        case "ept-violation":
          return violation(vm, root!, exit, vcpu);
        case "cpuid":
        case "cr0-write":
        case "cr4-write":
          return "resume";
        case "page-fault":
        case "cr3-write":
        case "cr3-read":
        case "invlpg":
        case "invpcid":
        case "pml-full":
          return unaskedExit("kvm-tdp-legacy", exit);
      }
    },

    host(event) {
      if (event.kind === "vcpu-run") return [];
      vm.ledger = vm.gauges;
      return answerHost(vm, event);
    },
  };
}

export const kvmTdpLegacy: Engine = {
  title: "NPT as Linux drove it before the TDP MMU",
  family: "nested",
  create: createKvmTdpLegacy,
};

type Violation = Extract<VmExit, { readonly reason: "ept-violation" }>;

function violation(vm: Vm, root: ShadowPage, exit: Violation, vcpu: VirtualCpu): Resolution {
  vm.guest.check(exit.gfn, exit.vpn);
  const { duringWalk, gfn } = exit;
  const { guestFrames } = vm.platform;
  if (vm.guest.isHole(gfn)) return answerMmio(vcpu, exit, { duringWalk, guestFrames });
  vm.serving = vcpu;
  if (exit.access === "write") vm.guest.touchForWrite(gfn);
  const resolution = fixQuickly(vm, root, exit) ? "resume" : mapFor(vm, root, exit, vcpu);
  vm.serving = null;
  return resolution;
}

/** Maps, unless the access is a store to a table that is shadowed: only nested guests have those. */
function mapFor(vm: Vm, root: ShadowPage, exit: Violation, vcpu: VirtualCpu): Resolution {
  const { gfn, access, store, vpn } = exit;
  const isStore = access === "write";
  if (!(isStore && vm.track.isTracked(gfn))) {
    if (!map(vm, root, gfn) || !isStore) return "resume";
  }
  const offset = store?.kind === "entry" ? store.index * 8 : 0;
  return emulate(vm, vm.states[vcpu.id]!, { vpn, offset, store }, gfn);
}

/** A write to an entry that only logging protects: W is set again, no more. True if that was all. */
function fixQuickly(vm: Vm, root: ShadowPage, { gfn, access }: Violation): boolean {
  if (access !== "write") return false;
  let page = root;
  let index = indexAt(gfn, page.key.level);
  let low = readLow(vm, page, index);
  while ((low & P) !== 0 && !isLeaf(low, page.key.level)) {
    page = childOf(vm, page, index);
    index = indexAt(gfn, page.key.level);
    low = readLow(vm, page, index);
  }
  if ((low & P) === 0) return false;
  if ((low & W) !== 0) {
    vm.ledger.faultsSpurious += 1;
    vm.ledger.faultsFast += 1;
    return true;
  }
  // Of a large entry only one page would be reported: the slow path maps a small one instead.
  const { level } = page.key;
  if ((low & MMU_WRITABLE) === 0 || (level > 1 && vm.dirtyLog.touches(gfn, level))) return false;
  vm.memory.write(page.table, index, low | W, vm.memory.readHigh(page.table, index));
  vm.dirtyLog.mark(gfn);
  vm.ledger.faultsFixed += 1;
  vm.ledger.faultsFast += 1;
  return true;
}

/** True if W was withheld because a shadowed table is there. */
function map(vm: Vm, root: ShadowPage, gfn: Gfn): boolean {
  makeRoom(vm);
  const touched = vm.guest.touch(gfn);
  const level = mappingLevel(vm, gfn, 3);
  const vpn = gfn as number as Vpn;
  let page = root;
  while (page.key.level > level) page = directChild(vm, page, { vpn, gfn, access: ACC_ALL });
  const offset = gfn % 512 ** (level - 1);
  const index = indexAt(gfn, level);
  const wish = {
    gfn: (gfn - offset) as Gfn,
    pfn: (touched - offset) as Pfn,
    access: ACC_ALL,
    cause: "fault",
  } as const;
  const { unchanged, writeProtected } = setLeaf(vm, page, index, wish);
  if (!unchanged) prefetchAround(vm, page, index);
  if (unchanged) vm.ledger.faultsSpurious += 1;
  else vm.ledger.faultsFixed += 1;
  return writeProtected;
}
