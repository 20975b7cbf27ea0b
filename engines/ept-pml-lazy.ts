/**
 * PML as KVM runs it without eager page splitting: 2 MiB leaves stay read-only until somebody writes there.
 *
 * Buys: logging starts at once, and what nobody writes stays large. Pays: an exit for the first write to each
 * small page of what is split, since a log of silicon's own needs a writable leaf.
 *
 * Source: KVM module parameter `eager_page_split` = N; KVM `kvm_mmu_slot_remove_write_access` for 2 MiB.
 */
import type { Engine } from "../hypervisor/engine.ts";
import { createEptPml } from "./ept-pml.ts";

export const eptPmlLazy: Engine = {
  title: "EPT with PML, large pages split when they are written",
  family: "nested",
  create: createEptPml({ split: "when-written" }),
};
