/**
 * NPT as Linux KVM's TDP MMU drives it: one nested tree per VM, filled one entry per fault.
 *
 * Buys: the guest's stores, INVLPG and CR3 loads run without exits. Pays: one nested page fault per first use
 * of each host page, prefetching nothing; splitting every large page when dirty logging starts.
 *
 * Source: KVM arch/x86/kvm/svm/svm.c; rules 4, 11 to 13 and 17 of results/groundtruth. `kvm/tdp-tables.ts` has the tables.
 */
import { userPage } from "../machine/formats/x86-entry.ts";
import { npt } from "../machine/formats/x86.ts";
import type { Resolution, VmExit } from "../machine/exits.ts";
import { nptStage, twoStages } from "../machine/stages.ts";
import type { VirtualCpu } from "../machine/virtual-cpu.ts";
import { nestedControls, unaskedExit } from "../hypervisor/controls.ts";
import type { Engine, EngineOptions } from "../hypervisor/engine.ts";
import type { Hypervisor } from "../hypervisor/hypervisor.ts";
import type { Platform } from "../hypervisor/platform.ts";
import { MMU_WRITABLE } from "./kvm/entries.ts";
import { answerTdpHost } from "./kvm/tdp-host.ts";
import type { TdpFormat } from "./kvm/tdp-format.ts";
import { TdpTables } from "./kvm/tdp-tables.ts";

const format: TdpFormat = {
  entries: npt,
  leafFlags: userPage | MMU_WRITABLE,
  accessed: npt.accessed,
  dirtyToLog: 0,
  // Reserved bits mark it, and each later access is a nested page fault like the first: nothing to count differs.
  mmio: 0,
};

function createKvmTdp(platform: Platform, options?: EngineOptions): Hypervisor {
  const tables = new TdpTables(platform, format, options);
  const { root, levels } = tables.tree;
  // CR4 writes are always intercepted on SVM.
  const controls = {
    ...nestedControls(twoStages(nptStage(root, levels)), platform.hasVpid),
    exitOnCr0Write: true,
    exitOnCr4Write: true,
  };
  return {
    memory: tables.memory,
    boot(vcpu, cr3) {
      vcpu.setControls(controls);
      vcpu.setHardwareRoot(cr3.root, cr3.pcid);
    },
    exit(exit, vcpu) {
      tables.memory.balance();
      return answer(tables, exit, vcpu);
    },
    host: (event) => answerTdpHost(tables, event),
  };
}

function answer(tables: TdpTables, exit: VmExit, vcpu: VirtualCpu): Resolution {
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
      return unaskedExit("kvm-tdp", exit);
  }
}

export const kvmTdp: Engine = {
  title: "NPT as Linux's TDP MMU drives it",
  family: "nested",
  create: createKvmTdp,
};
