/**
 * What a vmmu trace says, as values: its header, and its ops twice.
 *
 * `TraceOp` is one op as an object, for writers, shrinkers and tests. `OpChunk` is many ops as columns, for
 * replay: common ops are numbers only, an op that is rare keeps its object in `rare`.
 */
import type { Gfn, HostPageSize, Vpn } from "../../machine/address.ts";
import type { HostEvent } from "../../hypervisor/host-events.ts";
import type { InvpcidType, OtherExit } from "../../machine/exits.ts";
import type { Cr3, Registers } from "../../machine/registers.ts";

/** Entries written before boot: `count` values from entry `index` of frame `gfn` on, running over frames. */
export interface Fill {
  readonly gfn: Gfn;
  readonly index: number;
  readonly count: number;
  /** First value, and what each next one adds (modulo 2^64), as int32 halves. */
  readonly low: number;
  readonly high: number;
  readonly stepLow: number;
  readonly stepHigh: number;
}

export type TraceVersion = 1 | 2 | 3 | 4;

/** As `DirtyLogOptions.armedBy` has it. */
export type DirtyLogArming = "get" | "clear" | "clear-initially-set";

export interface TraceHeader {
  readonly version: TraceVersion;
  /** Guest-physical memory in 4 KiB frames. */
  readonly memoryFrames: number;
  readonly vcpus: number;
  /** Size of the host pages behind guest memory. */
  readonly backing: HostPageSize;
  /** Shadow pages that the hypervisor may keep (`nrmmu`), or null for its own default. */
  readonly shadowPagesMax: number | null;
  /**
   * What arms a page of the dirty log again: the get itself, or a clear (manual protect), with every page set at the start
   * or not. Null: the trace does not say, and a get does.
   */
  readonly dirtyLogArmedBy: DirtyLogArming | null;
  /** Control registers at boot, paging levels included. */
  readonly registers: Registers;
  readonly fills: readonly Fill[];
  /** CR3 of every vCPU at boot. */
  readonly boot: Cr3;
}

/** That a vCPU runs again follows from `v` lines; it is no line of its own. Nodes are the machine's, not the guest's. */
export type TraceHostEvent = Exclude<HostEvent, { readonly kind: "vcpu-run" | "balance-tables" }>;

/** INVPCID types by their number. */
export const invpcidTypes: readonly InvpcidType[] = [
  "address",
  "context",
  "all-with-globals",
  "all",
];

/** Causes of `other-exit`, as a trace has them. */
export const otherExits: readonly OtherExit[] = ["interrupt", "io", "msr", "halt"];

/** One line of a trace after its header. */
export type TraceOp =
  | { readonly op: "read" | "write" | "fetch"; readonly vpn: Vpn; readonly offset: number }
  /** Eight known bytes at entry `index` of the page. */
  | {
      readonly op: "store";
      readonly vpn: Vpn;
      readonly index: number;
      readonly low: number;
      readonly high: number;
    }
  | { readonly op: "zero-page"; readonly vpn: Vpn }
  | { readonly op: "copy-page"; readonly to: Vpn; readonly from: Vpn }
  | { readonly op: "invlpg"; readonly vpn: Vpn }
  | { readonly op: "invpcid"; readonly type: InvpcidType; readonly pcid: number; readonly vpn: Vpn }
  | { readonly op: "write-cr3"; readonly cr3: Cr3 }
  | { readonly op: "read-cr3" | "cpuid" }
  /** An exit that memory has no part in. */
  | { readonly op: "other-exit"; readonly cause: OtherExit }
  /** Accesses that the recorder left out since the last such line, all of them TLB hits, and instructions executed. */
  | { readonly op: "skipped"; readonly accesses: number; readonly instructions: number }
  | { readonly op: "write-cr0"; readonly writeProtect: boolean }
  | { readonly op: "write-cr4"; readonly globalPages: boolean; readonly pcid: boolean }
  | { readonly op: "privilege"; readonly mode: "user" | "supervisor" }
  /** The ops that follow run on vCPU `id`. */
  | { readonly op: "vcpu"; readonly id: number }
  /** End of a phase. */
  | { readonly op: "phase"; readonly name: string }
  | { readonly op: "host"; readonly event: TraceHostEvent };

export type RareOp = Exclude<
  TraceOp,
  { readonly op: "read" | "write" | "fetch" | "store" | "zero-page" | "invlpg" }
>;

/** Codes of `OpChunk.code`. */
export const opRead = 0;
export const opWrite = 1;
export const opFetch = 2;
export const opStore = 3;
export const opZeroPage = 4;
export const opInvlpg = 5;
/** The op is `rare[low]`. */
export const opRare = 6;

/** Ops as columns; entry i of each belongs to op i. Valid below `length`. */
export class OpChunk {
  length = 0;
  readonly code: Uint8Array;
  /** Guest-virtual page: exact, for a page number has 45 bits. */
  readonly page: Float64Array;
  /** Byte offset in the page; of a store, a multiple of 8. */
  readonly offset: Uint16Array;
  /** Value of a store. */
  readonly low: Int32Array;
  readonly high: Int32Array;
  /** Line of the trace, from 1. */
  readonly line: Float64Array;
  readonly rare: RareOp[] = [];

  constructor(capacity: number) {
    this.code = new Uint8Array(capacity);
    this.page = new Float64Array(capacity);
    this.offset = new Uint16Array(capacity);
    this.low = new Int32Array(capacity);
    this.high = new Int32Array(capacity);
    this.line = new Float64Array(capacity);
  }

  get isFull(): boolean {
    return this.length === this.code.length;
  }
}

/** Op `i` of a chunk as an object. */
export function opAt(chunk: OpChunk, i: number): TraceOp {
  const vpn = chunk.page[i]! as Vpn;
  const offset = chunk.offset[i]!;
  switch (chunk.code[i]!) {
    case opRead:
      return { op: "read", vpn, offset };
    case opWrite:
      return { op: "write", vpn, offset };
    case opFetch:
      return { op: "fetch", vpn, offset };
    case opStore:
      return { op: "store", vpn, index: offset / 8, low: chunk.low[i]!, high: chunk.high[i]! };
    case opZeroPage:
      return { op: "zero-page", vpn };
    case opInvlpg:
      return { op: "invlpg", vpn };
    default:
      return chunk.rare[chunk.low[i]!]!;
  }
}

/** All ops of the chunks, in order. */
export function opsOf(chunks: Iterable<OpChunk>): TraceOp[] {
  const ops: TraceOp[] = [];
  for (const chunk of chunks) {
    for (let i = 0; i < chunk.length; i++) ops.push(opAt(chunk, i));
  }
  return ops;
}
