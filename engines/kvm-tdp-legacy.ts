/**
 * NPT as Linux KVM drove it before the TDP MMU: the shadow machinery with direct pages only.
 *
 * Buys: a fault fills the aligned group of 8 entries. Pays: one lock, a page limit, and a 2 MiB entry is
 * dropped, not split, at the first write under dirty logging, so that its neighbours fault one by one.
 *
 * Source: KVM arch/x86/kvm/mmu/mmu.c with tdp_mmu=0. `kvm/tdp-legacy-tables.ts` has the tables.
 */
import type { PagingLevels, Pfn } from "../machine/address.ts";
import type { Controls } from "../machine/controls.ts";
import { nptStage, type Stage, twoStages } from "../machine/stages.ts";
import { nestedControls, unaskedExit } from "../hypervisor/controls.ts";
import type { Engine, EngineOptions } from "../hypervisor/engine.ts";
import type { Hypervisor } from "../hypervisor/hypervisor.ts";
import type { Platform } from "../hypervisor/platform.ts";
import { createLegacyVm, LegacyTables } from "./kvm/tdp-legacy-tables.ts";
import type { Vm } from "./kvm/vm.ts";

function createKvmTdpLegacy(platform: Platform, options?: EngineOptions): Hypervisor {
  return directTables(createLegacyVm(platform, options));
}

/** What nested tables look like to silicon, and what exits beside their violations. */
export interface NestedVendor {
  readonly stage: (root: Pfn, levels: PagingLevels) => Stage;
  readonly exits: Partial<Controls>;
}

/** CR0 and CR4 writes are always intercepted on SVM. */
export const amdNested: NestedVendor = {
  stage: nptStage,
  exits: { exitOnCr0Write: true, exitOnCr4Write: true },
};

/** One tree of direct pages for all of the VM's memory, on whichever of its vCPUs. */
export function directTables(vm: Vm, { stage, exits }: NestedVendor = amdNested): Hypervisor {
  const tables = new LegacyTables(vm);
  const { nestedLevels, hasVpid } = vm.platform;
  return {
    memory: tables.memory,

    boot(vcpu, cr3, registers) {
      const nested = stage(tables.boot(vcpu, registers), nestedLevels);
      vcpu.setControls({ ...nestedControls(twoStages(nested), hasVpid), ...exits });
      vcpu.setHardwareRoot(cr3.root, cr3.pcid);
    },

    exit(exit, vcpu) {
      tables.memory.balance();
      switch (exit.reason) {
        case "ept-violation":
          return tables.fault(exit, vcpu);
        case "cpuid":
        case "other":
        case "cr0-write":
        case "cr4-write":
          return "resume";
        case "page-fault":
        case "cr3-write":
        case "cr3-read":
        case "invlpg":
        case "invpcid":
        case "pml-full":
        case "iret":
        case "ept-misconfiguration":
        case "sub-page-event":
          return unaskedExit("kvm-tdp-legacy", exit);
      }
    },

    host: (event) => tables.host(event),
  };
}

export const kvmTdpLegacy: Engine = {
  title: "NPT as Linux drove it before the TDP MMU",
  family: "nested",
  create: createKvmTdpLegacy,
};
