/**
 * What nested paging needs to hold a lock on pages: somebody who watches the guest's own tables.
 */
import type { Controls } from "../../machine/controls.ts";
import type { VmExit, Resolution } from "../../machine/exits.ts";
import type { Cr3 } from "../../machine/registers.ts";
import type { VirtualCpu } from "../../machine/virtual-cpu.ts";
import type { HostMemory } from "../../hypervisor/memory/host-memory.ts";
import type { MemoryPolicy } from "../../hypervisor/policy/memory-policy.ts";
import type { RadixTree } from "../../hypervisor/tables/radix.ts";

/** The nested engine as a guard uses it. */
export interface GuardParts {
  readonly tree: RadixTree;
  readonly memory: HostMemory;
  readonly vcpus: readonly VirtualCpu[];
  readonly policy: MemoryPolicy;
  readonly controls: Controls;
  /** Drops what every vCPU has cached of the nested tables, now. */
  readonly flush: () => void;
}

export interface Guard {
  /** Does a locked page mean its frame whatever the guest's tables say, and be they silent? */
  readonly pinsPages: boolean;
  /** A vCPU starts with this root. */
  boot(vcpu: VirtualCpu, cr3: Cr3): void;
  /** Asked of every exit before the engine; null: it is none of the guard's. */
  answer(exit: VmExit, vcpu: VirtualCpu): Resolution | null;
  /** Rules have changed: what is guarded is found anew. */
  renew(): void;
}

export type CreateGuard = (parts: GuardParts) => Guard;
