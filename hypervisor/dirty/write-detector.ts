/**
 * How a hypervisor notices that a page is written: one of the two parts of a dirty tracker.
 */
import type { Gfn } from "../../machine/address.ts";
import type { VirtualCpu } from "../../machine/virtual-cpu.ts";
import type { FrameRange } from "./frame-ranges.ts";
import type { LoggedTables } from "./tracker.ts";

/** `vcpu` is the one that wrote, or null where nothing tells. */
export type Mark = (gfn: Gfn, vcpu: VirtualCpu | null) => void;

/** What a log of silicon's own is given to and taken from. */
export type LoggedVcpus = Pick<LoggedTables, "vcpus" | "setPml">;

export interface WriteDetector {
  /** Must the leaf of an armed page be read-only? */
  readonly armsByProtection: boolean;
  /** Pages that one VM exit can bring in at most: what a ring keeps free. */
  readonly pagesPerExitMax: number;
  /** Logging begins somewhere, and nowhere before. */
  begin(tables: LoggedVcpus): void;
  end(tables: LoggedVcpus): void;
  /** The next write to `gfn`, which a 4 KiB leaf maps, will be noticed. Whoever calls flushes. */
  arm(tables: LoggedTables, gfn: Gfn): void;
  /** Marks what silicon has noted by itself, on every vCPU: what a clear must not leave for later. */
  sync(tables: LoggedVcpus, mark: Mark): void;
  /** Marks what only the tables say. */
  scan(tables: LoggedTables, ranges: readonly FrameRange[], mark: Mark): void;
  /** At every VM exit: marks what this vCPU's silicon has noted, where that is cheap. */
  exited(vcpu: VirtualCpu, mark: Mark): void;
  /** Marks `gfn` if only the leaf that is about to go knows of its write. */
  unmapping(tables: LoggedTables, gfn: Gfn, mark: Mark): void;
}
