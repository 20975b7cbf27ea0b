/**
 * What a hypervisor may be told to enforce on its guest's memory: rules over frames and over pages.
 *
 * Rules are only ever added, so a lock cannot be undone. A lock on a frame says what may be done with its bytes,
 * whoever asks and by whatever name; a lock on a page says what the name means. Each alone can be walked around
 * (`docs/policies.md`), so whoever guards something locks both.
 *
 * Source: KVM ROE (2018) and Heki, `KVM_HC_PROTECT_MEMORY`, for locks on frames; SecVisor (SOSP 2007) and its
 * retrospective for why pages need locks too; Intel HLAT for what a locked page means to the guest's own entry.
 */
import type { Gfn, Vpn } from "../../machine/address.ts";

export type PolicyRule =
  /** Nobody stores to these frames any more. */
  | { readonly kind: "lock-frames"; readonly start: Gfn; readonly frames: number }
  /**
   * In each of these frames nobody stores to these lines of 128 bytes, a bit each; the guest stores to the others. Who
   * cannot say which line (silicon that marks a table, a device, a balloon) stores to none.
   */
  | {
      readonly kind: "lock-lines";
      readonly start: Gfn;
      readonly frames: number;
      readonly lines: number;
    }
  /**
   * In every address space the pages from `start` on translate to the frames from `first` on or not at all, with no
   * more rights than `access` (`ACC_*` of `guest-walk.ts`). What the guest's own entries say otherwise has no effect.
   * With `first` null only the rights are locked, and the frame is the guest's choice.
   */
  | {
      readonly kind: "lock-pages";
      readonly start: Vpn;
      readonly pages: number;
      readonly first: Gfn | null;
      readonly access: number;
    }
  /**
   * The supervisor may run code in these frames. Once there is such a rule, it may in no others; what pages of the user's
   * hold is the user's affair.
   */
  | { readonly kind: "approve-frames"; readonly start: Gfn; readonly frames: number }
  /**
   * Programs reach these frames through locked pages that lead to them, and by no other name; nobody else stores there. What
   * silicon reads or marks in them as tables is none of the rule's business.
   */
  | { readonly kind: "bind-frames"; readonly start: Gfn; readonly frames: number }
  /**
   * Of a guest with views: programs read these frames or see nothing of them, the monitor may do all with them, and nobody
   * else stores there.
   */
  | {
      readonly kind: "monitor-frames";
      readonly start: Gfn;
      readonly frames: number;
      readonly programs: "read" | "nothing";
    }
  /** In the monitor's view code in these frames runs and no other; nobody stores there. */
  | { readonly kind: "monitor-code"; readonly start: Gfn; readonly frames: number }
  /**
   * A stack of return addresses: programs read these frames, and what they hold is pushed, by a call of the guest's that
   * its hypervisor answers or, where silicon knows shadow stacks, by the program's own calls. Nobody stores there otherwise.
   */
  | { readonly kind: "stack-frames"; readonly start: Gfn; readonly frames: number }
  /** The guest sees nothing of these frames. */
  | { readonly kind: "hide-frames"; readonly start: Gfn; readonly frames: number };

/**
 * Who wants to store. `walker`: A and D bits set in a guest table; `device`: DMA, or the VMM's own stores; `call`: the
 * hypervisor, which answers a call; `shadow-stack`: silicon, at one of the guest's, where it knows such stores from others.
 */
export type Storer =
  "guest" | "emulator" | "walker" | "device" | "reclaim" | "call" | "shadow-stack";

/** An act that the policy denied, as it was answered. */
export interface Verdict {
  /** The vCPU, or -1 where the host or a device asked. */
  readonly cpu: number;
  /** The page of the access; -1 where there is none. */
  readonly vpn: number;
  /** The frame that would have been reached; -1 for a register. */
  readonly gfn: number;
  readonly by: Storer | "reader" | "fetcher" | "root";
}
