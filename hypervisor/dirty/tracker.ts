/**
 * Dirty tracking: which guest pages were written since somebody last asked.
 *
 * A tracker is composed with an engine. The engine owns the tables and shows them through `LoggedTables`;
 * the tracker decides what to protect, clear and report. It is made of two parts (`compose.ts`): how a write
 * is noticed (write protection, D bits, PML) and how it is kept until asked for (bitmap, ring).
 */
import type { Gfn, Pfn } from "../../machine/address.ts";
import type { DirtyLogOptions } from "./dirty-log-options.ts";
import type { VirtualCpu } from "../../machine/virtual-cpu.ts";
import type { FrameRange } from "./frame-ranges.ts";

/** The tables of an engine, by guest frame, as far as a tracker may touch them. */
export interface LoggedTables {
  readonly vcpus: readonly VirtualCpu[];
  /** Calls `visit` for every frame in the range that some 4 KiB leaf maps. */
  forEachSmall(range: FrameRange, visit: (gfn: Gfn) => void): void;
  /** Takes write permission from every 4 KiB leaf that maps `gfn`. */
  writeProtect(gfn: Gfn): void;
  /** Is D set in a 4 KiB leaf that maps `gfn`? */
  isDirty(gfn: Gfn): boolean;
  /** Clears D in the 4 KiB leaf that maps `gfn`. */
  clearDirty(gfn: Gfn): void;
  /** Does a leaf of 2 MiB or more map `gfn`? */
  isHuge(gfn: Gfn): boolean;
  /** Replaces large leaves by 4 KiB ones in the range: a dirty page is then 4 KiB. */
  splitHuge(range: FrameRange): void;
  /** Takes write permission from the large leaves in the range. */
  protectHuge(range: FrameRange): void;
  /** Brings large leaves back where the host's pages allow it. */
  collapse(range: FrameRange, how: DirtyLogOptions["collapse"]): void;
  /** Makes every vCPU forget cached translations. */
  flush(): void;
  /** Gives silicon a page-modification log per vCPU, or takes it away. */
  setPml(buffers: ReadonlyMap<number, Pfn> | null): void;
}

export interface DirtyTracker {
  /** Logging of the range begins, beside what is logged already. */
  start(tables: LoggedTables, range: FrameRange): void;
  /** Logging ends, in the range if there is one, else everywhere; what was not asked for is forgotten. */
  stop(range?: FrameRange): void;
  /** The pages written since they were last armed, ascending. */
  collect(): readonly Gfn[];
  /** Arms again what was reported in the range, unless the report did so. */
  clear(range: FrameRange): void;
  isLogged(gfn: Gfn): boolean;
  /**
   * Is any frame of the log in the large page around `gfn` that a leaf of `level` would map? Then leaves are smaller,
   * or a dirty page would be so large.
   */
  needsSmall(gfn: Gfn, level: number): boolean;
  /** May a leaf for `gfn` be writable before its next write is seen? */
  mayMapWritable(gfn: Gfn): boolean;
  /** The hypervisor lets a write to `gfn` pass, or makes it: silicon need not tell any more. */
  wrote(gfn: Gfn, vcpu: VirtualCpu): void;
  /** The leaves that map `gfn` are about to go, and their D bits with them. */
  unmapping(gfn: Gfn): void;
  /** Called at every VM exit of `vcpu`, before the exit is answered. */
  exited(vcpu: VirtualCpu): void;
  /** Called when the exit is answered, before the guest runs on. */
  entering(vcpu: VirtualCpu): void;
}

/** For engines without one: dirty-logging events change nothing and nothing is reported. */
export const noTracker: DirtyTracker = {
  start() {},
  stop() {},
  collect: () => [],
  clear() {},
  isLogged: () => false,
  needsSmall: () => false,
  mayMapWritable: () => true,
  wrote() {},
  unmapping() {},
  exited() {},
  entering() {},
};
