/**
 * What a host does to a guest from outside, through its hypervisor: the ioctls of a VMM, and memory pressure.
 *
 * Source: KVM API document; Linux `mmu_notifier`.
 */
import type { Gfn } from "../machine/address.ts";

/** What the host does to a guest from outside. `frames` counts 4 KiB frames. */
export type HostEvent =
  | { readonly kind: "dirty-log-on"; readonly start: Gfn; readonly frames: number }
  | { readonly kind: "dirty-log-get" }
  /**
   * Frames of the range that a get has reported are armed again (KVM_CLEAR_DIRTY_LOG); the host copies them
   * afterwards. It does so for trackers with manual protect; others arm at the get, and nothing changes.
   */
  | { readonly kind: "dirty-log-clear"; readonly start: Gfn; readonly frames: number }
  /** Logging ends, of the memslots in the range if there is one, else of all. */
  | {
      readonly kind: "dirty-log-off";
      readonly only?: { readonly start: Gfn; readonly frames: number };
    }
  /** Frames replaced by others, their mappings dropped; contents are lost (balloon, madvise). */
  | { readonly kind: "reclaim"; readonly start: Gfn; readonly frames: number }
  /** Frames swapped out: their mappings dropped, their contents kept; the next touch of each brings them back. */
  | { readonly kind: "evict"; readonly start: Gfn; readonly frames: number }
  /** The contents of the frames as they are now are kept, by copy-on-write; the snapshot before is dropped. */
  | { readonly kind: "snapshot"; readonly start: Gfn; readonly frames: number }
  | { readonly kind: "snapshot-drop" }
  /** One pass of the same-page merger over the whole guest. */
  | { readonly kind: "merge" }
  /** The guest may keep this many frames in host memory; the rest is swapped out. */
  | { readonly kind: "memory-limit"; readonly frames: number }
  /**
   * The VMM or a device of its stores 8 bytes into guest memory, at entry `index` of the frame. No dirty log has it (the
   * VMM knows), no page tracking sees it: a shadow of the guest table there goes on saying what it said.
   */
  | {
      readonly kind: "write";
      readonly gfn: Gfn;
      readonly index: number;
      readonly low: number;
      readonly high: number;
      /** It answers a call of the guest's; absent: nobody asked. */
      readonly by?: "call";
    }
  /** The memslot of this range is deleted: accesses go to the VMM now, which has no device there. Its memory stays with it. */
  | { readonly kind: "slot-delete"; readonly start: Gfn; readonly frames: number }
  /** A slot for the range again, with the memory that was behind it; where one is, nothing changes. */
  | { readonly kind: "slot-create"; readonly start: Gfn; readonly frames: number }
  /** The slot of this range lies at `to` from now on, with its memory; what was there goes the other way, without a slot. */
  | { readonly kind: "slot-move"; readonly start: Gfn; readonly frames: number; readonly to: Gfn }
  /**
   * Tables are moved to the node that most of what they point to is on, if the node plan says `migrated`: one pass of what a
   * host's automatic balancing does. Who has no such tables does nothing.
   */
  | { readonly kind: "balance-tables" }
  /** In lock step, or on a processor of another node: this vCPU enters the guest again; what was asked of it meanwhile is done now. */
  | { readonly kind: "vcpu-run"; readonly vcpu: number };
