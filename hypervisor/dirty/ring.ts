/**
 * The dirty ring: each vCPU appends what it dirties to a ring of fixed size that user space reads and resets.
 *
 * Buys: a question costs what is dirty, not what is logged. Pays: the guest stops when its ring is full, and a
 * page may be in it more than once.
 *
 * User space here keeps a bitmap of its own, as QEMU does: a full ring is read into it and reset at once, a
 * get reads all rings and returns the bitmap.
 *
 * Source: KVM API document, KVM_CAP_DIRTY_LOG_RING; KVM `kvm_dirty_ring_push`, `kvm_dirty_ring_reset`.
 */
import { assert } from "../../machine/assert.ts";
import type { Gfn } from "../../machine/address.ts";
import type { DirtyRecord } from "./dirty-record.ts";
import { FrameSet } from "./frame-set.ts";

/** Entries that KVM keeps free for what is pushed between the check and the return (`KVM_DIRTY_RING_RSVD_ENTRIES`). */
const reserved = 64;

export interface RingOptions {
  readonly guestFrames: number;
  readonly entries: number;
  /** Pages that one VM exit can bring in: room for them stays free too. */
  readonly pagesPerExitMax: number;
}

/** Entries at which a ring counts as full; the rest is room for one more exit. */
function ringSoftLimit(entries: number, pagesPerExitMax: number): number {
  return entries - reserved - (pagesPerExitMax === 1 ? 0 : pagesPerExitMax);
}

export function dirtyRing({ guestFrames, entries, pagesPerExitMax }: RingOptions): DirtyRecord {
  const softLimit = ringSoftLimit(entries, pagesPerExitMax);
  assert(softLimit > 0, `ring: ${entries} entries leave no room beside the reserve`);
  /** Entries in use, by vCPU. */
  const used = new Map<number, number>();
  /** In a ring, or read from one that is not reset yet. */
  const open = new FrameSet(guestFrames);
  /** User space's bitmap: what it has read or will read at the next get. */
  const known = new FrameSet(guestFrames);

  return {
    begin(range, pages) {
      if (pages === "dirty") known.addAll(range);
    },
    end() {
      used.clear();
      open.clear();
      known.clear();
    },
    forget(range) {
      open.deleteAll(range);
      known.deleteAll(range);
    },
    mark(gfn, vcpu) {
      open.add(gfn);
      known.add(gfn);
      // What no vCPU tells, user space finds by itself: it has nothing to push.
      if (vcpu === null) return;
      const count = (used.get(vcpu.id) ?? 0) + 1;
      assert(count <= entries, `ring: vCPU ${vcpu.id} pushes into a full ring`);
      used.set(vcpu.id, count);
      vcpu.ledger.dirtyRingPushes += 1;
    },
    isOpen: (gfn) => open.has(gfn),
    report(range) {
      const frames: readonly Gfn[] = known.list(range);
      for (const gfn of frames) known.delete(gfn);
      return frames;
    },
    close(range) {
      used.clear();
      const frames: readonly Gfn[] = open.list(range);
      for (const gfn of frames) open.delete(gfn);
      return frames;
    },
    isFull: (vcpuId) => (used.get(vcpuId) ?? 0) >= softLimit,
  };
}
