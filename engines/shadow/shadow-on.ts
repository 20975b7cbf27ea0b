/** Trap-on-write shadow paging of a memory that others may map too. */
import type { Gfn } from "../../machine/address.ts";
import type { ShadowInspect } from "../../hypervisor/engine.ts";
import type { Hypervisor } from "../../hypervisor/hypervisor.ts";
import type { MmuNotifier } from "../../hypervisor/memory/notifier.ts";
import type { DirtyTracker } from "../../hypervisor/dirty/tracker.ts";
import type { MemoryPolicy } from "../../hypervisor/policy/memory-policy.ts";
import type { VirtualCpu } from "../../machine/virtual-cpu.ts";
import type { Beside } from "./shadow-table.ts";
import type { StoreExit } from "./table-stores.ts";
import type { ShadowTables } from "./tables.ts";

export type Shadow = Hypervisor & ShadowInspect;

export interface ShadowOnParts {
  readonly log: DirtyTracker;
  readonly policy: MemoryPolicy | null;
  /** Who walks tables of the guest's own while others are shadowed; absent: nobody does. */
  readonly beside?: Beside | null;
}

export interface ShadowOn {
  readonly hypervisor: Shadow;
  readonly notifier: MmuNotifier;
  /** Unmaps the frames; whoever calls flushes. */
  readonly dropFrames: (start: Gfn, frames: number) => void;
  /** Every shadow table goes: the guest's stores will not be seen from here on. */
  readonly drop: () => void;
  readonly tables: ShadowTables;
  /**
   * A store to a shadowed table that others' tables have stopped, on a vCPU that runs on no shadow: done for the guest, or
   * false if the frame is a table no more.
   */
  readonly storeToTable: (exit: StoreExit, vcpu: VirtualCpu, gfn: Gfn) => boolean;
  /** The vCPU runs on no shadow from here on. */
  readonly leave: (vcpu: VirtualCpu) => void;
}
