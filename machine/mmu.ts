/**
 * What the translation hardware of one vCPU offers: run a batch, invalidate, say why it stopped.
 *
 * A batch is two int32 columns. `low` holds GVA bits 31..0; `high` holds GVA bits 56..32 in its low 25 bits
 * and what the access is above: bit 31 store, bit 30 fetch, bit 29 user mode, bit 28 a store to the whole page, bit 27 a
 * shadow stack's.
 */
import type { Gfn, Pfn, Vpn } from "./address.ts";
import type { Paging } from "./stages.ts";
import type { Ledger } from "./counters.ts";

export const STORE = 0x8000_0000 | 0;
export const FETCH = 0x4000_0000;
export const USER = 0x2000_0000;
export const WHOLE_PAGE = 0x1000_0000;
/** Beside `STORE` or neither of the two: a load or store by CALL, RET and their like, of return addresses. */
export const SHADOW_STACK = 0x0800_0000;
/** GVA bits 56..32 in the high column. */
export const HIGH_MASK = 0x01ff_ffff;

/** Room in the columns: one batch of guest code plus what nested fault handlers append behind it. */
export const batchLength = 4096;
export const columnLength = 4 * batchLength;

/** Why `run` stopped before the end. */
export const STOP_NONE = 0;
export const STOP_PAGE_FAULT = 1;
export const STOP_EPT_VIOLATION = 2;
export const STOP_PML_FULL = 3;
/** A table or a page lies at a frame that the machine does not have; `stopGfn` is that frame. */
export const STOP_OUTSIDE = 4;
/** The sub-page permissions have no entry for the store's page, or a malformed one. */
export const STOP_SUB_PAGE_MISS = 5;
export const STOP_SUB_PAGE_MALFORMED = 6;

/** One walk reference, for people: which entry was read, in which dimension, at which level. */
export interface WalkReference {
  readonly dimension: "guest" | "nested";
  readonly level: number;
  readonly pfn: Pfn;
  /** Index of the entry in its table. */
  readonly index: number;
  readonly low: number;
  readonly high: number;
}

export interface MmuRoot {
  /** Root frame of the tables that the guest dimension walks: gfn under nested paging, pfn otherwise. */
  readonly frame: number;
  readonly pcid: number;
  /** Is the table, at a host frame, one that a stage with a switch bit switches to? Absent: no. */
  readonly isSwitched?: boolean;
}

export interface Mmu {
  readonly low: Int32Array;
  readonly high: Int32Array;
  /** Performs accesses [from, to) and returns the index of the first one not done, or `to`. */
  run(from: number, to: number): number;
  /** Frame of the last access that was done (its 4 KiB frame). */
  lastPfn(): Pfn;

  /** After a stop: one of `STOP_*`, with its details. */
  stopReason(): number;
  /** Page-fault error code. */
  stopError(): number;
  stopGfn(): Gfn;
  stopKind(): "read" | "write" | "fetch";
  stopDuringWalk(): boolean;
  /** Of a violation: is there an entry, one that grants less than the access asks for? Bits 5:3 of Intel's qualification. */
  stopIsPresent(): boolean;
  /** Of a violation: is that entry one that silicon calls misconfigured? */
  stopIsMalformed(): boolean;
  /** A page fault: had the walk switched to the tables of the guest? */
  stopSwitched(): boolean;

  /** Paging configuration; drops what it makes meaningless. */
  configure(to: Paging, vpid: number): void;
  setPml(buffer: Pfn | null): void;
  /** PML index: 511 counts down; -1 when the buffer is full. */
  pmlIndex(): number;
  resetPml(): void;
  /** Loads a root. Flushes nothing. */
  setRoot(root: MmuRoot): void;
  /** Goes on in the nested tables at `root`, of a last stage that has views. Flushes nothing. */
  switchView(root: Pfn): void;
  /** The root that was loaded last. */
  loadedRoot(): MmuRoot;

  /** INVLPG: the page's entries under the current PCID and global ones, all walk-cache entries of the PCID. */
  invalidatePage(vpn: Vpn): void;
  /** What silicon drops when it reports #PF for `vpn`: its TLB entries and the walk-cache entries that cover it. */
  invalidateFault(vpn: Vpn): void;
  /** INVPCID address type: the page's non-global entries under `pcid`. */
  invalidatePageOf(vpn: Vpn, pcid: number): void;
  /** An IOMMU's hint that only leaves changed: as `invalidatePageOf`, and walk caches stay. */
  invalidateLeafOf(vpn: Vpn, pcid: number): void;
  /** All non-global linear and combined mappings of `pcid` under the current VPID. */
  flushContext(pcid: number): void;
  /** All non-global linear and combined mappings of the VPID, whatever the PCID. */
  flushNonGlobal(): void;
  /** All linear and combined mappings, global ones too (VPID off at entry and exit, INVVPID, CR4.PGE). */
  flushLinear(): void;
  /** INVEPT: guest-physical and combined mappings, of all views. */
  flushNested(): void;
  /** What silicon drops when it reports an EPT violation for `gfn` at `vpn`: of the view that it is in. */
  invalidateViolation(gfn: Gfn, vpn: Vpn): void;

  /** The processor is another one from now on, on this node: nothing is in its data caches, and DRAM elsewhere is remote. */
  moveTo(node: number): void;

  /** Adds this unit's counts since the last call into `ledger` and the walk histogram into `walks`. */
  collect(ledger: Ledger, walkLengths: Float64Array): void;
  /** Sum of the page frames of all accesses, modulo 2^32: a checksum of translations. */
  checksum(): number;
  /** The references of the last walk, in order. */
  lastWalk(): readonly WalkReference[];
}

/** What a hypervisor may do to what a vCPU has cached, and to its log of modified pages. */
export type CachedTranslations = Pick<
  Mmu,
  "invalidatePage" | "flushContext" | "flushLinear" | "flushNested" | "pmlIndex" | "resetPml"
>;

/** A unit that can serve another machine on the same memory, its code compiled and warm. */
export interface ResettableMmu extends Mmu {
  /** Power-on again: nothing cached, nothing counted. Reset the memory first. */
  reset(): void;
}
