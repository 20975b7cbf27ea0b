/**
 * The walk of a table tree, as one loop: levels are data, and the two dimensions differ in a `Tree`.
 *
 * Walking the guest's tree calls its `locate` for each table, which walks the nested tree: that one
 * nested call is the whole of two-dimensional paging (the idea is Spike's `s2xlate`). A walk that cannot
 * finish returns a `Stop`; what it did until then (references, A bits, cache entries) stays.
 *
 * Source: SDM vol. 3A 4.5 and 4.8 "Accessed and Dirty Flags", vol. 3C 29.3 "The Extended Page Table Mechanism".
 */
import { indexAt, type PageOrder, type PagingLevels, type Pfn } from "../../machine/address.ts";
import { frameOf, PS } from "../../machine/entry.ts";
import type { PhysicalMemory } from "../../machine/memory.ts";
import type { WalkReference } from "../../machine/mmu.ts";
import { type Context, type Key, keyOf, type PlainCache } from "./plain-cache.ts";

export type Kind = "read" | "write" | "fetch";

/** Why an access could not be done: the details of `Mmu.stop...`. */
export interface Stop {
  readonly reason: number;
  readonly error: number;
  readonly gfn: number;
  readonly kind: Kind;
  readonly duringWalk: boolean;
}

export function isStop(outcome: object | null): outcome is Stop {
  return outcome !== null && "reason" in outcome;
}

/** Rights of an entry, or of a path of entries: the AND of theirs. */
export interface Rights {
  readonly read: boolean;
  readonly write: boolean;
  readonly execute: boolean;
  readonly user: boolean;
}

/** A table: its frame number as the entry above has it (gfn under nested paging), and where it is. */
export interface Table {
  readonly frame: number;
  readonly pfn: Pfn;
  /** Did the translation by which the walk came here allow writes? */
  readonly isWritable: boolean;
}

/** A walk cache's entry: the table below the cached entry, and the rights down to it. */
export type PwcEntry = Key & { readonly table: Table; readonly rights: Rights };

/** What a walk is for. */
export interface Request {
  readonly page: number;
  readonly kind: Kind;
  readonly user: boolean;
  /** Nested dimension: is the page a guest table? */
  readonly duringWalk: boolean;
}

export interface Leaf {
  /** Frame of the whole page's first 4 KiB. */
  readonly frame: number;
  readonly order: PageOrder;
  readonly rights: Rights;
  /** The entry's low half as the walk left it. */
  readonly low: number;
}

/** How an entry is read: x86-64 or EPT. */
export interface EntryFormat {
  /** Null when the entry is not present. */
  rights(low: number, high: number): Rights | null;
  readonly accessed: number;
  readonly dirty: number;
}

/** One dimension of translation. */
export interface Tree {
  readonly dimension: "guest" | "nested";
  readonly root: number;
  readonly levels: PagingLevels;
  readonly format: EntryFormat;
  readonly context: Context;
  /** Walk caches by the level of the cached entry. */
  readonly pwc: Readonly<Record<number, PlainCache<PwcEntry>>>;
  /** Does silicon set A and D in this tree? */
  readonly accessedDirty: boolean;
  /** Where the table at `frame` is. */
  locate(frame: number): Table | Stop;
  isReserved(level: number, low: number, high: number): boolean;
  permits(rights: Rights, request: Request): boolean;
  /** Has to succeed before A or D (`setsDirty`) is set in an entry of `table`. */
  beforeMark(table: Table, setsDirty: boolean, request: Request): Stop | null;
  refuse(cause: "absent" | "reserved" | "denied", request: Request): Stop;
}

/** What walks report to: counters and the log. */
export interface WalkObserver {
  reference(reference: WalkReference): void;
  pwcHit(tree: Tree, level: number): void;
  bitSet(bit: "accessed" | "dirty"): void;
}

const allRights: Rights = { read: true, write: true, execute: true, user: true };

function bothRights(a: Rights, b: Rights): Rights {
  return {
    read: a.read && b.read,
    write: a.write && b.write,
    execute: a.execute && b.execute,
    user: a.user && b.user,
  };
}

/** log2 of the pages that one entry at `level` covers. */
function orderOf(level: number): number {
  return 9 * (level - 1);
}

interface Step {
  /** Level of the entries in `table`. */
  readonly level: number;
  readonly table: Table;
  /** Of the entries above. */
  readonly rights: Rights;
}

export function walk(
  memory: PhysicalMemory,
  tree: Tree,
  request: Request,
  observer: WalkObserver,
): Leaf | Stop {
  let step = firstStep(tree, request, observer);
  for (;;) {
    if (isStop(step)) return step;
    const { level, table } = step;
    const index = indexAt(request.page, level);
    const low = memory.readLow(table.pfn, index);
    const high = memory.readHigh(table.pfn, index);
    observer.reference({ dimension: tree.dimension, level, pfn: table.pfn, index, low, high });

    const own = tree.format.rights(low, high);
    if (own === null) return tree.refuse("absent", request);
    if (tree.isReserved(level, low, high)) return tree.refuse("reserved", request);
    const rights = bothRights(step.rights, own);
    const isLeaf = level === 1 || (level <= 3 && (low & PS) !== 0);
    if (isLeaf && !tree.permits(rights, request)) return tree.refuse("denied", request);

    const entry = { table, index, low, setsDirty: isLeaf && request.kind === "write" };
    const marked = mark(memory, tree, request, observer, entry);
    if (typeof marked !== "number") return marked;
    if (isLeaf) {
      const order = orderOf(level) as PageOrder;
      const frame = frameOf(low, high);
      // Below the alignment of a large page's frame are other bits: PAT.
      return { frame: frame - (frame % 2 ** order), order, rights, low: marked };
    }
    step = nextStep(tree, request, { level, table: tree.locate(frameOf(low, high)), rights });
  }
}

/** The walk caches from the leaf's side, else the root. */
function firstStep(tree: Tree, { page }: Request, observer: WalkObserver): Step | Stop {
  for (let level = 2; level <= tree.levels; level++) {
    const cache = tree.pwc[level]!;
    const entry = cache.find(keyOf(page, orderOf(level), tree.context));
    if (entry !== null) {
      cache.touch(entry);
      observer.pwcHit(tree, level);
      return { level: level - 1, table: entry.table, rights: entry.rights };
    }
  }
  const table = tree.locate(tree.root);
  return isStop(table) ? table : { level: tree.levels, table, rights: allRights };
}

/** Down from the entry at `level`, which now is worth caching. */
function nextStep(
  tree: Tree,
  { page }: Request,
  { level, table, rights }: { level: number; table: Table | Stop; rights: Rights },
): Step | Stop {
  if (isStop(table)) return table;
  tree.pwc[level]!.insert({ ...keyOf(page, orderOf(level), tree.context), table, rights });
  return { level: level - 1, table, rights };
}

interface EntryToMark {
  readonly table: Table;
  readonly index: number;
  readonly low: number;
  readonly setsDirty: boolean;
}

/** Sets A, and D for a store's leaf, where they are clear. Returns the entry's low half. */
function mark(
  memory: PhysicalMemory,
  tree: Tree,
  request: Request,
  observer: WalkObserver,
  { table, index, low, setsDirty }: EntryToMark,
): number | Stop {
  const { accessed, dirty } = tree.format;
  const needsAccessed = tree.accessedDirty && (low & accessed) === 0;
  const needsDirty = tree.accessedDirty && setsDirty && (low & dirty) === 0;
  if (!needsAccessed && !needsDirty) return low;
  const stop = tree.beforeMark(table, needsDirty, request);
  if (stop !== null) return stop;
  if (needsAccessed) observer.bitSet("accessed");
  if (needsDirty) observer.bitSet("dirty");
  const marked = low | (needsAccessed ? accessed : 0) | (needsDirty ? dirty : 0);
  memory.setLow(table.pfn, index, marked);
  return marked;
}
