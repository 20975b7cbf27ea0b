/**
 * EPT as Linux KVM's TDP MMU drives it, on Intel's processors since Broadwell (`kvm-ept`), with `pml=0`
 * (`kvm-ept-nopml`), and on those without A/D bits, or with `eptad=0` (`kvm-ept-noad`).
 *
 * Buys: what NPT buys, and CR4.PGE is the guest's own; with PML a logged write costs no exit but one in 512. Pays: with
 * A/D bits a walk of the guest's tables counts as writing them, so a log of their memory reports them.
 *
 * Source: KVM arch/x86/kvm/mmu/tdp_mmu.c; rules V3, V5, P1 to P11 and M1 of results/groundtruth/intel.
 */
import { ept } from "../machine/formats/ept.ts";
import type { Engine } from "../hypervisor/engine.ts";
import { MMU_WRITABLE } from "./kvm/entries.ts";
import { type EptTables, EptVm } from "./kvm/ept-vm.ts";
import type { TdpFormat } from "./kvm/tdp-format.ts";
import { answerTdpHost } from "./kvm/tdp-host.ts";
import { TdpTables } from "./kvm/tdp-tables.ts";

const withoutBits: TdpFormat = {
  entries: ept,
  leafFlags: ept.leaf | MMU_WRITABLE,
  accessed: 0,
  dirtyToLog: 0,
  mmio: ept.malformed,
};
const withBits: TdpFormat = {
  ...withoutBits,
  leafFlags: withoutBits.leafFlags | ept.accessed | ept.dirty,
  accessed: ept.accessed,
};
const withPml: TdpFormat = { ...withBits, dirtyToLog: ept.dirty };

function eptTables(tables: TdpTables): EptTables {
  return {
    memory: tables.memory,
    get isLogging() {
      return tables.isLogging;
    },
    boot: () => tables.tree.root,
    fault: (exit, vcpu) => tables.fault(exit, vcpu),
    mmio: (exit, vcpu) => tables.mmio(exit, vcpu),
    mark: (gfn) => {
      tables.mark(gfn);
    },
    host: (event) => answerTdpHost(tables, event),
  };
}

function engine(title: string, format: TdpFormat): Engine {
  const silicon = { accessedDirty: format.accessed !== 0, pml: format.dirtyToLog !== 0 };
  return {
    title,
    family: "nested",
    create: (platform, options) =>
      new EptVm(platform, eptTables(new TdpTables(platform, format, options)), silicon),
  };
}

export const kvmEpt = engine("EPT as Linux's TDP MMU drives it, with PML", withPml);
export const kvmEptNoPml = engine("the same with pml=0: logging protects", withBits);
export const kvmEptNoAd = engine("the same with eptad=0: no A/D bits, so no PML", withoutBits);
