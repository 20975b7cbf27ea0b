/**
 * Who is called while a guest runs: its kernel on a fault, a checker after every event.
 */
import type { Gfn, Pfn, Vpn } from "./address.ts";
import type { PendingStore } from "./exits.ts";

export interface PageFault {
  readonly vpn: Vpn;
  /** Byte offset in the page. */
  readonly offset: number;
  /** `PF_*` bits. */
  readonly error: number;
}

/** The guest's kernel, as far as silicon calls it. */
export interface GuestSoftware {
  /** #PF was delivered. `retry` repeats the instruction, `abandon` skips it (a trace goes on by itself). */
  pageFault(fault: PageFault): "retry" | "abandon";
}

/** What an invalidation covered, as the guest asked for it. */
export type Invalidation =
  | { readonly kind: "page"; readonly vpn: Vpn; readonly pcid: number; readonly globals: boolean }
  | { readonly kind: "context"; readonly pcid: number }
  | { readonly kind: "all"; readonly globals: boolean };

/** A store that the hypervisor performed for the guest. `high` is the high column of the access. */
export interface EmulatedStore {
  readonly vpn: Vpn;
  readonly high: number;
  /** Byte offset in the page. */
  readonly offset: number;
  readonly gfn: Gfn;
  readonly pfn: Pfn;
}

/** Sees everything a checker needs, in program order. `cpu` is the number of the vCPU. */
export interface Observer {
  /** An access completed; `high` is the high column: what kind it was (`mmu.ts`). `offset` is of its first byte. */
  access(cpu: number, vpn: Vpn, high: number, pfn: Pfn, offset: number): void;
  /** Known bytes are about to change in frame `pfn`: by the guest, or for it. */
  storing(cpu: number, pfn: Pfn, store: PendingStore): void;
  /**
   * A page copy has loaded frame `from`. The version of data that this returns comes back with `copied`: until
   * then the host may move or share either page, so whoever asks whose frame it is has to ask now.
   */
  copying(cpu: number, from: Pfn): number;
  /** Frame `to` became a copy of what was loaded as `version`. */
  copied(cpu: number, to: Pfn, version: number): void;
  /** Called before the bytes change. */
  emulated(cpu: number, store: EmulatedStore): void;
  /** #PF is about to be delivered for the access whose high column is `high`. */
  guestFault(cpu: number, fault: PageFault, high: number): void;
  invalidated(cpu: number, scope: Invalidation): void;
  /** The hypervisor's policy denied the access: it was passed over. */
  denied(cpu: number, vpn: Vpn, high: number, offset: number): void;
  /** An access was emulated because no memory is at `gfn`. */
  mmio(cpu: number, access: { readonly vpn: Vpn; readonly gfn: Gfn }, high: number): void;
}

/** Sees where the host puts guest pages, for a checker: it judges, it does not trust. */
export interface HostObserver {
  /** The page lies in frame `to` from now on, with the contents that it had. Called before anything uses it. */
  moved(gfn: Gfn, to: Pfn): void;
  /** The page is about to leave memory, contents and all; `moved` says when it is back. */
  swappedOut(gfn: Gfn): void;
  /** A slot moves: what lay behind `from` lies behind `to` now, and the other way, and `from` has no slot. */
  exchanged(from: Gfn, to: Gfn): void;
  /** These frames keep the contents that they have now, until the snapshot is dropped. */
  snapshotTaken(kept: ReadonlyMap<Gfn, Pfn>): void;
  snapshotDropped(): void;
}
