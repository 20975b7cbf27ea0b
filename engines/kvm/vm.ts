/**
 * One virtual machine as the shadow MMU sees it: pages, reverse maps, tracking, the dirty log, and what each
 * vCPU holds.
 *
 * Everything here belongs to the VM; a vCPU owns its current root and a few previous ones, nothing else.
 */
import { x86 } from "../../machine/formats/x86.ts";
import type { Gfn } from "../../machine/address.ts";
import type { Ledger } from "../../machine/counters.ts";
import type { Registers } from "../../machine/registers.ts";
import type { VirtualCpu } from "../../machine/virtual-cpu.ts";
import type { EngineOptions } from "../../hypervisor/engine.ts";
import type { Platform } from "../../hypervisor/platform.ts";
import type { FrameMemory } from "../../hypervisor/platform.ts";
import { flushVcpus } from "../../hypervisor/flush.ts";
import {
  createWalk,
  type FaultingAccess,
  type GuestWalk,
  type WalkHost,
} from "../../hypervisor/guest-walk.ts";
import type { MemoryPolicy } from "../../hypervisor/policy/memory-policy.ts";
import { createHostMemory, type HostMemory } from "../../hypervisor/memory/host-memory.ts";
import { DirtyLog } from "./dirty-log.ts";
import type { ShadowPolicy } from "./policy.ts";
import { ReverseMap } from "./reverse-map.ts";
import { type ShadowPage, ShadowPages } from "./shadow-page.ts";
import { WriteTrack } from "./write-track.ts";

/** A root that a vCPU keeps: the page, and the CR3 value (frame and PCID) that it was loaded for. */
export interface CachedRoot {
  readonly page: ShadowPage;
  readonly cr3: number;
}

/** What the shadow MMU knows of one vCPU. */
export interface VcpuState {
  readonly vcpu: VirtualCpu;
  /** Control registers that its shadows were made for. */
  registers: Registers;
  root: CachedRoot | null;
  /** Most recent first, always `cachedRoots` long. */
  readonly previous: (CachedRoot | null)[];
  /** To be done before the next entry: free invalid roots, sync the current root, flush. */
  freeRoots: boolean;
  syncRoot: boolean;
  /** Page of the last store whose page was unprotected and the instruction retried, or -1. */
  retriedVpn: number;
  /** Faults that the guest's kernel is handling, the latest last. Only kept if it says when it is done. */
  readonly reflected: FaultingAccess[];
  /** Out-of-sync pages that this vCPU's stores made, oldest first. Only kept under a finite policy. */
  readonly unsyncPages: ShadowPage[];
}

/** Bits of leaf entries as silicon reads them. */
export interface LeafBits {
  readonly accessed: number;
  readonly dirty: number;
  /** What every leaf has beside its rights. */
  readonly always: number;
  /** Is a logged 4 KiB leaf armed by clearing D, because silicon logs who sets it? Else by write protection. */
  readonly armsByDirty: boolean;
  /** The entry that marks MMIO, or 0 where silicon tells it from nothing. */
  readonly mmio: number;
}

const x86Bits: LeafBits = {
  accessed: x86.accessed,
  dirty: x86.dirty,
  always: 0,
  armsByDirty: false,
  mmio: 0,
};

export interface Vm extends WalkHost {
  readonly memoryPolicy: MemoryPolicy | null;
  readonly platform: Platform;
  readonly memory: FrameMemory;
  readonly guest: HostMemory;
  readonly policy: ShadowPolicy;
  /** Do the pages form a nested table (direct pages only), not shadows? */
  readonly isNested: boolean;
  readonly bits: LeafBits;
  readonly pageLimit: number;
  readonly pages: ShadowPages;
  /** Leaf entries by the frame they map, per level of the mapping. */
  readonly maps: Readonly<Record<1 | 2 | 3, ReverseMap>>;
  readonly track: WriteTrack;
  readonly dirtyLog: DirtyLog;
  readonly states: VcpuState[];
  /** One is enough for all of the VM's faults: its result is used up before the next begins. */
  readonly walk: GuestWalk;
  /** The ledger and state of the vCPU that is being served; the first vCPU's for host events. */
  ledger: Ledger;
  current: VcpuState | null;
  /** The vCPU whose exit is being answered, by its own processor; null while a thread of the host acts. */
  serving: VirtualCpu | null;
  /** Gauges live in the first vCPU's ledger, for they belong to the VM. */
  readonly gauges: Ledger;
  /** The hypervisor wrote to the frame on the guest's behalf. */
  marked(gfn: Gfn): void;
}

export interface VmOptions {
  readonly policy: ShadowPolicy;
  readonly kind: "shadow" | "nested";
  /** Absent: x86-64's. */
  readonly bits?: LeafBits;
  readonly options: EngineOptions | undefined;
  /** Guest memory and the tables' bytes, where they are not the platform's as it has them. */
  readonly views?: { readonly guest: HostMemory; readonly memory: FrameMemory };
}

/** A VM whose pages are shadows of guest tables, or a nested table. */
export function createVm(
  platform: Platform,
  { policy, kind, bits, options, views }: VmOptions,
): Vm {
  const guest = views?.guest ?? createHostMemory(platform);
  const memory = views?.memory ?? platform.memory;
  const { frames } = guest;
  const { ledger } = platform.vcpus[0]!;
  const dirtyLog = new DirtyLog(frames, options?.dirtyLog?.armedBy);
  return {
    platform,
    memory,
    guest,
    policy,
    isNested: kind === "nested",
    bits: bits ?? x86Bits,
    pageLimit: options?.shadowPagesMax ?? pageLimitOf(policy, frames),
    pages: new ShadowPages(memory),
    maps: {
      1: new ReverseMap(frames, 1),
      2: new ReverseMap(frames, 2),
      3: new ReverseMap(frames, 3),
    },
    track: new WriteTrack(frames),
    dirtyLog,
    states: [],
    walk: createWalk(),
    ledger,
    current: null,
    serving: null,
    gauges: ledger,
    // Nested tables of KVM's enforce none.
    memoryPolicy: kind === "shadow" ? (options?.policy ?? null) : null,
    marked: (gfn) => dirtyLog.mark(gfn),
  };
}

/** Drops cached translations of every vCPU: what a change to entries owes them before they run again. */
export function flushRemote(vm: Vm): void {
  flushVcpus(vm.platform.vcpus, vm.serving, vm.isNested ? "nested" : "linear");
}

function pageLimitOf({ pageLimit }: ShadowPolicy, guestFrames: number): number {
  return Math.max(pageLimit.min, Math.floor((guestFrames * pageLimit.permille) / 1000));
}
