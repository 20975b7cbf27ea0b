/**
 * What a hypervisor runs on: frames for its tables, vCPUs, and how its guest's memory lies in them.
 *
 * On bare hardware that is a `Machine`. Inside a guest it is another hypervisor's guest: the same words, and frames
 * that are guest frames one level down.
 */
import type { HostPageSize, PagingLevels } from "../machine/address.ts";
import type { PhysicalMemory } from "../machine/memory.ts";
import type { NodePlan } from "../machine/nodes.ts";
import type { HostObserver } from "../machine/observer.ts";
import type { Placement } from "../machine/placement.ts";
import type { Vcpu } from "../machine/vcpu.ts";
import type { VirtualCpu } from "../machine/virtual-cpu.ts";

/** Frames of bytes, as a hypervisor uses them: the guest's, and those for its own tables and copies. */
export type FrameMemory = Pick<
  PhysicalMemory,
  | "words"
  | "wordsOf"
  | "readLow"
  | "readHigh"
  | "write"
  | "writeEntry"
  | "setLow"
  | "allocateTable"
  | "allocateTables"
  | "freeTable"
  | "allocateSpare"
  | "reserve"
  | "share"
  | "isShared"
  | "release"
  | "vacate"
  | "copy"
  | "fill"
  | "contentsOf"
  | "hasBytes"
  | "hasSameBytes"
  | "zero"
  | "guestFrames"
  | "tableBytesPeak"
  | "stampOf"
  | "nodeOf"
>;

export interface Platform {
  readonly memory: FrameMemory;
  readonly vcpus: readonly VirtualCpu[];
  /** Frames of the hypervisor's guest: gfn is valid below it. */
  readonly guestFrames: number;
  /** Where a guest frame comes at its first touch. */
  readonly placement: Placement;
  /** Size of the pages that the host gives to guest memory. */
  readonly backing: HostPageSize;
  /** Depth of nested tables. */
  readonly nestedLevels: PagingLevels;
  /** Nodes that memory lies on, and where tables are to be; null: one node. */
  readonly nodes: NodePlan | null;
  /** Have cached translations a tag, so that an exit need not drop them? VPID, on AMD the ASID. */
  readonly hasVpid: boolean;
  /** One more vCPU, beside those that the guest has: for a hypervisor that runs in it. */
  addVcpu(id: number): Vcpu;
  /** Is what lies beyond guest memory MMIO, or outside of everything? */
  readonly mmioBeyond: boolean;
  /** Told when the host moves pages; null when nobody checks. */
  hostObserver: HostObserver | null;
}
