/**
 * Nested entries as one vendor's silicon reads them, for the TDP MMU: all that differs between AMD and Intel.
 *
 * Source: KVM arch/x86/kvm/mmu/spte.c `kvm_mmu_set_ept_masks`, `kvm_mmu_reset_all_pte_masks`.
 */
import type { EntryFormat } from "../../machine/formats/format.ts";

export interface TdpFormat {
  readonly entries: EntryFormat;
  /** A leaf with all rights, as KVM makes one: A and D set where silicon keeps them. */
  readonly leafFlags: number;
  /** A, or 0 where silicon keeps none. */
  readonly accessed: number;
  /** D, if clearing it arms a logged page because silicon logs who sets it; 0: write protection does. */
  readonly dirtyToLog: number;
  /** The entry that marks MMIO, or 0 where nothing does. */
  readonly mmio: number;
}
