/**
 * Dirty tracking: which guest pages were written since somebody last asked.
 *
 * A tracker is composed with an engine. The engine owns the tables and shows them through `LoggedTables`;
 * the tracker decides what to protect, clear and report. Reported frames are in ascending order.
 */
import type { Gfn, Pfn } from "../../machine/address.ts";
import type { VirtualCpu } from "../../machine/hypervisor.ts";

/** The tables of an engine, by guest frame, as far as a tracker may touch them. */
export interface LoggedTables {
  readonly vcpus: readonly VirtualCpu[];
  /** Calls `visit` for every 4 KiB frame in the range that some leaf maps. */
  forEachMapped(start: Gfn, frames: number, visit: (gfn: Gfn) => void): void;
  /** Takes write permission from every leaf that maps `gfn`. */
  writeProtect(gfn: Gfn): void;
  /** Clears D in the leaf that maps `gfn`; true when it was set. */
  clearDirty(gfn: Gfn): boolean;
  /** Replaces 2 MiB leaves in the range by 4 KiB ones: a dirty page is then 4 KiB. */
  splitHuge(start: Gfn, frames: number): void;
  /** Makes every vCPU forget cached translations. */
  flush(): void;
  /** Gives silicon a page-modification log per vCPU, or takes it away. */
  setPml(buffers: ReadonlyMap<number, Pfn> | null): void;
}

export interface DirtyTracker {
  /** Logging of [start, start + frames) begins; nothing is dirty yet. */
  start(tables: LoggedTables, start: Gfn, frames: number): void;
  stop(): void;
  /** The pages written since the last call (or the start), which are armed again. */
  collect(): readonly Gfn[];
  /** Is `gfn` in the log now? Then it is mapped by 4 KiB, or a dirty page would be 2 MiB. */
  isLogged(gfn: Gfn): boolean;
  /** May a leaf for `gfn` be writable before its next write is seen? */
  mayMapWritable(gfn: Gfn): boolean;
  /** The guest is about to write `gfn` through a leaf that was not writable. */
  wrote(gfn: Gfn): void;
  /** Called at every VM exit of `vcpu`, before the exit is answered. */
  exited(vcpu: VirtualCpu): void;
}

export type TrackerFactory = () => DirtyTracker;

/** For engines without one: dirty-logging events change nothing and nothing is reported. */
export const noTracker: TrackerFactory = () => ({
  start() {},
  stop() {},
  collect: () => [],
  isLogged: () => false,
  mayMapWritable: () => true,
  wrote() {},
  exited() {},
});
