/**
 * EPT as Linux KVM drove it before the TDP MMU (`tdp_mmu=0`): direct pages of the shadow machinery, with PML or without.
 *
 * Buys: a fault fills the aligned group of 8 entries. Pays: 2 MiB entries stay, read-only, when logging starts, so the
 * first write to each small page of one exits even with PML.
 *
 * Source: KVM arch/x86/kvm/mmu/mmu.c; rules P1, P12 and M1 of results/groundtruth/intel.
 */
import { ept } from "../machine/formats/ept.ts";
import type { Engine } from "../hypervisor/engine.ts";
import { EptVm } from "./kvm/ept-vm.ts";
import { createLegacyVm, LegacyTables } from "./kvm/tdp-legacy-tables.ts";
import type { LeafBits } from "./kvm/vm.ts";

function engine(title: string, pml: boolean): Engine {
  const bits: LeafBits = {
    accessed: ept.accessed,
    dirty: ept.dirty,
    always: ept.leaf & ~ept.link,
    armsByDirty: pml,
    mmio: ept.malformed,
  };
  return {
    title,
    family: "nested",
    create: (platform, options) =>
      new EptVm(platform, new LegacyTables(createLegacyVm(platform, options, bits)), {
        accessedDirty: true,
        pml,
      }),
  };
}

export const kvmEptLegacy = engine("EPT as Linux drove it before the TDP MMU, with PML", true);
export const kvmEptLegacyNoPml = engine("the same with pml=0", false);
