/**
 * One simulated computer: physical memory and vCPUs of one preset, before any hypervisor or guest.
 *
 * Model: vCPUs take turns in lock step, so they never wait for the hypervisor's lock. Bias: for shadow, whose
 * faults of all vCPUs would queue for it.
 */
import { type HostPageSize, orderOfSize, type PagingLevels } from "./address.ts";
import { addInto, createLedger, type Ledger, walkLengthMax } from "./counters.ts";
import { type MemorySize, PhysicalMemory } from "./memory.ts";
import type { Mmu } from "./mmu.ts";
import type { HostObserver } from "./observer.ts";
import { type NodePlan, nodeOfTables } from "./nodes.ts";
import { identity, linear, type Placement, scatterOnNodes } from "./placement.ts";
import type { Pfn } from "./address.ts";
import type { Preset } from "./presets.ts";
import { Vcpu } from "./vcpu.ts";

/** Builds the translation hardware of one vCPU. */
export type MmuFactory = (memory: PhysicalMemory, preset: Preset) => Mmu;

export interface MachineOptions {
  readonly preset: Preset;
  readonly mmu: MmuFactory;
  /** Where memory comes from; absent: made anew. */
  readonly memory?: (size: MemorySize) => PhysicalMemory;
  /** Guest-physical frames of 4 KiB; rounded up to a power of two, at least 512 and one host page. */
  readonly guestFrames: number;
  readonly vcpus: number;
  readonly seed: number;
  /** Size of the host pages that back guest memory. */
  readonly backing: HostPageSize;
  /** Depth of nested tables (EPT4 or EPT5). */
  readonly nestedLevels: PagingLevels;
  /** `scatter` by seed (default), or `linear` from this host frame on, for worked examples. */
  readonly placement: "scatter" | { readonly linearFrom: number };
  /** Frames that may hold bytes: see `PhysicalMemory`. */
  readonly slotsMax?: number;
  /** Is what lies beyond guest memory MMIO that the VMM answers for? Else a table that leads there ends the run. */
  readonly mmioBeyond?: boolean;
  /** The memory of a host that other machines' guests live in too; absent: one of its own. */
  readonly host?: HostRoom;
}

/**
 * A guest's place in a computer that it shares: `Machine` is then the part of it that this guest gets.
 * Model: every vCPU has a core of its own, so guests share memory, never a TLB. Bias: both.
 */
export interface HostRoom {
  readonly memory: PhysicalMemory;
  /** First of the frames that are this guest's, as many as it has. */
  readonly firstFrame: number;
  /** VPID of its first vCPU. */
  readonly firstVpid: number;
  /** Where its frames lie, if not from `firstFrame` on as the machine's options say. */
  readonly placement?: Placement;
}

/** Rooms for `guests` guests of equal size in one memory. */
export function shareHost(
  guests: number,
  options: Pick<MachineOptions, "guestFrames" | "backing" | "vcpus" | "memory" | "slotsMax">,
): HostRoom[] {
  const frames = roundedFrames(options);
  const size: MemorySize = {
    guestFrames: guests * frames,
    tableFrames: guests * tableFramesFor(frames),
    ...(options.slotsMax === undefined ? {} : { slotsMax: guests * options.slotsMax }),
  };
  const memory = options.memory?.(size) ?? new PhysicalMemory(size);
  return Array.from({ length: guests }, (_, i) => {
    return { memory, firstFrame: i * frames, firstVpid: 1 + i * options.vcpus };
  });
}

/**
 * Model: guest memory is a whole number of host pages, where KVM maps no large page across the end of a memslot.
 * Bias: for EPT, in guests below the size of a host page.
 */
function roundedFrames({ guestFrames, backing }: Pick<MachineOptions, "guestFrames" | "backing">) {
  return 2 ** Math.ceil(Math.log2(Math.max(512, 2 ** orderOfSize(backing), guestFrames)));
}

/** A guest on nodes has as many frames on each as it asks for in all: its memory there is never full. */
function framesOf(options: MachineOptions): number {
  const nodes = options.preset.nodes?.count ?? 1;
  return nodes * roundedFrames(options);
}

/** Host frames for hypervisor tables: twice what tables of a fully mapped guest need, and a floor. */
function tableFramesFor(guestFrames: number): number {
  return Math.max(65_536, Math.ceil(guestFrames / 64));
}

export class Machine {
  readonly memory: PhysicalMemory;
  readonly vcpus: readonly Vcpu[];
  readonly options: MachineOptions;
  /** Where the host puts guest frames. Bare metal uses `identity` instead. */
  readonly placement: Placement;
  readonly identity = identity;
  /** Guest-physical frames: gfn is valid below it. */
  readonly guestFrames: number;
  readonly backing: HostPageSize;
  readonly nestedLevels: PagingLevels;
  readonly hasVpid: boolean;
  readonly mmioBeyond: boolean;
  readonly nodes: NodePlan | null;
  /** Told when the host moves pages; null when nobody checks. */
  hostObserver: HostObserver | null = null;

  constructor(options: MachineOptions) {
    this.options = options;
    this.backing = options.backing;
    this.nestedLevels = options.nestedLevels;
    this.hasVpid = options.preset.vpid;
    this.mmioBeyond = options.mmioBeyond ?? false;
    const guestFrames = framesOf(options);
    const { placement, host } = options;
    this.guestFrames = guestFrames;
    this.nodes = options.preset.nodes ?? null;
    const nodes = this.nodes?.count ?? 1;
    const offset = placement === "scatter" ? 0 : placement.linearFrom;
    const blockFrames = 2 ** orderOfSize(options.backing);
    const scattered = scatterOnNodes({ frames: guestFrames, nodes }, blockFrames, options.seed);
    const firstFrame = host?.firstFrame ?? 0;
    const own: Placement =
      placement === "scatter"
        ? (gfn) => (scattered(gfn) + firstFrame) as Pfn
        : linear((firstFrame + offset) as Pfn);
    this.placement = host?.placement ?? own;
    const size = {
      guestFrames: guestFrames + offset,
      tableFrames: tableFramesFor(guestFrames),
      nodes,
      ...(options.slotsMax === undefined ? {} : { slotsMax: options.slotsMax }),
    };
    this.memory = host?.memory ?? options.memory?.(size) ?? new PhysicalMemory(size);
    if (this.nodes !== null) {
      this.memory.tableNode = nodeOfTables(this.nodes.hypervisorTables, 0, nodes);
    }
    const vmid = host?.firstVpid ?? 1;
    this.vcpus = Array.from({ length: options.vcpus }, (_, id) => {
      const mmu = options.mmu(this.memory, options.preset);
      return new Vcpu({ id, vmid, mmu, memory: this.memory });
    });
  }

  /**
   * One more vCPU, with cached translations of its own, that counts for nobody: what a hypervisor runs another one on.
   */
  addVcpu(id: number): Vcpu {
    const mmu = this.options.mmu(this.memory, this.options.preset);
    return new Vcpu({ id, vmid: 1, mmu, memory: this.memory });
  }

  /** Counts so far over all vCPUs, everything drained. */
  snapshot(): { readonly ledger: Ledger; readonly walkLengths: Float64Array } {
    const ledger = createLedger();
    const walkLengths = new Float64Array(walkLengthMax + 1);
    for (const vcpu of this.vcpus) {
      const part = vcpu.snapshot();
      addInto(ledger, part.ledger);
      for (let i = 0; i <= walkLengthMax; i++) walkLengths[i]! += part.walkLengths[i]!;
    }
    ledger.tableBytesPeak = this.memory.tableBytesPeak;
    ledger.framesSavedNow = this.memory.framesSaved;
    ledger.framesSavedPeak = this.memory.framesSavedPeak;
    return { ledger, walkLengths };
  }
}
