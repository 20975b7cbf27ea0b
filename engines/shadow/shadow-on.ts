/** Trap-on-write shadow paging of a memory that others may map too. */
import type { Gfn } from "../../machine/address.ts";
import type { ShadowInspect } from "../../hypervisor/engine.ts";
import type { Hypervisor } from "../../hypervisor/hypervisor.ts";
import type { MmuNotifier } from "../../hypervisor/memory/notifier.ts";

export type Shadow = Hypervisor & ShadowInspect;

export interface ShadowOn {
  readonly hypervisor: Shadow;
  readonly notifier: MmuNotifier;
  /** Unmaps the frames; whoever calls flushes. */
  readonly dropFrames: (start: Gfn, frames: number) => void;
  /** Every shadow table goes: the guest's stores will not be seen from here on. */
  readonly drop: () => void;
}
