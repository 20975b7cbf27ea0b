/**
 * The nested TLB of the plain unit: what the last stage says of a guest frame.
 */
import { mayHoldStack } from "./shadow-stacks.ts";
import type { Pfn } from "../address.ts";
import { type Context, type Key, keyOf } from "./cache.ts";
import type { EntryFormat } from "../formats/format.ts";
import type { Stage } from "../stages.ts";
import { needsNoMark } from "./marks.ts";
import type { Leaf, Request, Tree } from "./tree.ts";

/** Guest-physical mappings belong to the EPTP alone. */
export function contextOf({ root }: Stage): Context {
  return { vpid: 0, pcid: 0, eptp: root };
}

/** A nested TLB entry: where 2^order guest frames are. */
export type NestedEntry = Key & {
  readonly frame: number;
  readonly write: boolean;
  readonly execute: boolean;
  /** The same of pages that the guest's tables give to the user, where the format tells modes apart. */
  readonly userExecute: boolean;
  /** A write needs no walk. */
  readonly dirty: boolean;
  /** The same of what walks write. */
  readonly pagingDirty: boolean;
  /** The paging-write bit, and that which asks for it in tables that lead here. */
  readonly verified: boolean;
  readonly verifies: boolean;
  /** The supervisor's shadow stack may be there, and its stores need no walk. */
  readonly stack: boolean;
  readonly stackDirty: boolean;
};

export function nestedEntry(gfn: number, leaf: Leaf, { stage }: Tree): NestedEntry {
  const { format } = stage;
  const { order, frame, rights, low, high } = leaf;
  const verified = (high & format.pagingWriteHigh) !== 0;
  const modified = needsNoMark(stage, low);
  return {
    ...keyOf(gfn, order, contextOf(stage)),
    frame,
    write: rights.write,
    execute: rights.execute,
    userExecute: format.executesByMode ? rights.user : rights.execute,
    // A leaf can be read-only with D set: the hypervisor write-protected a modified page.
    dirty: rights.write && modified,
    pagingDirty: (rights.write || verified) && modified,
    verified,
    verifies: (high & format.verifyHigh) !== 0,
    stack: mayHoldStack(format, leaf),
    stackDirty: mayHoldStack(format, leaf) && modified,
  };
}

/** What translation of a frame is asked for; `isUser`: for a page that the guest's tables give to the user. */
export type NestedRequest = Pick<
  Request,
  "kind" | "duringWalk" | "isVerified" | "lines" | "isStack"
> & {
  readonly isUser: boolean;
};

/** May the page of a leaf be reached so? */
export function permitsNested(format: EntryFormat): Tree["permits"] {
  return (rights, { kind, user, duringWalk, isVerified }, high) => {
    if (!duringWalk && !isVerified && (high & format.verifyHigh) !== 0) return false;
    const isPagingWrite = duringWalk && (high & format.pagingWriteHigh) !== 0;
    if (!format.executesByMode && !rights.user) return false;
    if (kind === "write") return rights.write || isPagingWrite;
    if (kind === "read") return rights.read;
    return user && format.executesByMode ? rights.user : rights.execute;
  };
}

export function suffices(
  entry: NestedEntry,
  { kind, isUser, duringWalk, isVerified, isStack }: NestedRequest,
): boolean {
  if (isStack) return kind === "write" ? entry.stackDirty : entry.stack;
  if (entry.verifies && !duringWalk && !isVerified) return false;
  if (kind === "read") return true;
  if (kind === "write") return duringWalk ? entry.pagingDirty : entry.dirty;
  return isUser ? entry.userExecute : entry.execute;
}

export function pfnIn(entry: NestedEntry, gfn: number): Pfn {
  return (entry.frame + (gfn % 2 ** entry.order)) as Pfn;
}
