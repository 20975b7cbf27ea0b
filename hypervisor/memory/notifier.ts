/**
 * What the host tells an engine, and asks it, about guest frames: Linux's mmu notifier.
 *
 * Source: Linux include/linux/mmu_notifier.h; KVM `kvm_mmu_notifier_invalidate_range_start`, `kvm_age_gfn`.
 */
import type { Gfn } from "../../machine/address.ts";

export interface MmuNotifier {
  /**
   * Every mapping of these frames goes, and whatever a vCPU has cached of it. The host's table changes only
   * afterwards, so what is mapped next is mapped as that table says then.
   */
  unmap(start: Gfn, frames: number): void;
  /** There is no memslot any more for these frames, unmapped before: what was a table there reads as zeros. */
  slotDeleted(start: Gfn, frames: number): void;
  /** Was the frame used since the last question? Its A bits are cleared; a flush is due before they are trusted. */
  age(gfn: Gfn): boolean;
  /** Every vCPU forgets what it has cached. */
  flush(): void;
}

/** Frames of a large page that do not lie in `range`. */
export function neighboursIn(
  page: { readonly first: number; readonly frames: number },
  range: { readonly start: number; readonly frames: number },
): number {
  const { first, frames } = page;
  const end = Math.min(range.start + range.frames, first + frames);
  return frames - (end - Math.max(range.start, first));
}
