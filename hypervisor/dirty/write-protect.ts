/**
 * Write protection: every logged page is read-only until its first write, which exits.
 *
 * Buys: works on any hardware. Pays: one exit per dirtied page and round, and read-only leaves afterwards.
 *
 * Source: KVM `kvm_mmu_slot_apply_write_access`, `kvm_arch_mmu_enable_log_dirty_pt_masked`.
 */
import type { WriteDetector } from "./write-detector.ts";

export const writeProtection: WriteDetector = {
  armsByProtection: true,
  pagesPerExitMax: 1,
  begin() {},
  // Leaves stay read-only; each costs one more exit at its next write.
  end() {},
  arm: (tables, gfn) => tables.writeProtect(gfn),
  // The hypervisor saw every write itself, and its record outlives the leaf.
  sync() {},
  scan() {},
  exited() {},
  unmapping() {},
};
