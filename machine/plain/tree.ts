/** What a walk is of, what for, and what it finds: the words of `walk.ts`. */
import type { Pfn } from "../address.ts";
import type { WalkReference } from "../mmu.ts";
import type { Stage } from "../stages.ts";
import type { Context, Key, PlainCache } from "./cache.ts";
import type { Rights } from "./rights.ts";
import type { Kind, Stop } from "./stop.ts";

/** A table: its frame number as the entry above has it (gfn under nested paging), and where it is. */
export interface Table {
  /** Did an entry with the switch bit lead here, or a table that it led to? */
  readonly isSwitched: boolean;
  readonly frame: number;
  readonly pfn: Pfn;
  /** Did the translation by which the walk came here allow writes, as it was cached? */
  readonly isWritable: boolean;
  /** Did it by the paging-write bit? */
  readonly isVerified: boolean;
}

/** A table as an entry names it: one that is larger than a frame lies in several, one after another. */
export interface Node {
  /** Its first frame. */
  readonly first: number;
  /** Level of its entries. */
  readonly level: number;
  /** log2 of their number. */
  readonly indexBits: number;
}

/** A walk cache's entry: the table below the cached entry, and the rights down to it. */
export type PwcEntry = Key & {
  readonly node: Node;
  readonly table: Table;
  readonly rights: Rights;
};

/** What a walk is for. */
export interface Request {
  readonly page: number;
  readonly kind: Kind;
  readonly user: boolean;
  /** Nested dimension: is the page a guest table? */
  readonly duringWalk: boolean;
  /** Nested dimension: is the page reached through verified tables only? */
  readonly isVerified: boolean;
  /** The lines of the page that are touched, a bit each. */
  readonly lines: number;
  /** Is it a shadow stack's access, and in the nested dimension one that entries tell from others? */
  readonly isStack: boolean;
}

export interface Leaf {
  /** Frame of the whole page's first 4 KiB. */
  readonly frame: number;
  /** log2 of the page's size in 4 KiB. */
  readonly order: number;
  /** log2 of the largest page that a TLB may keep of it: of what the entry covers that sent the walk back, if one did. */
  readonly keptOrder: number;
  readonly rights: Rights;
  /** Of the entries above. */
  readonly above: Rights;
  /** The entry's low half as the walk left it. */
  readonly low: number;
  readonly high: number;
  /** Did the walk switch to another tree on its way? */
  readonly isSwitched: boolean;
}

/** Of a leaf, what decides whether its page is a shadow stack's. */
export type StackLeaf = Pick<Leaf, "rights" | "above" | "low" | "high">;

/** A leaf that does not permit an access; rights are those of the whole path. */
export interface DeniedLeaf {
  readonly level: number;
  readonly rights: Rights;
  readonly high: number;
}

/** One dimension of translation. */
export interface Tree {
  readonly stage: Stage;
  readonly root: number;
  /** Is the root a table of the tree that this one switches to? */
  readonly isRootSwitched: boolean;
  readonly context: Context;
  /** Walk caches by the level of the cached entry. */
  readonly pwc: Readonly<Record<number, PlainCache<PwcEntry>>>;
  /** Where the root's table at `frame` is. */
  locateRoot(frame: number): Table | Stop;
  /** Where the table at `frame` is. */
  locate(frame: number): Table | Stop;
  /** A table of this tree that a switch led to. */
  atHost(frame: number): Table | Stop;
  /** The tree in which a walk starts again at an entry with the restart bit; null: no entry has one. */
  readonly restart: Tree | null;
  /** Where an entry with the stage's switch bit leads: the tables of this tree, at host frames. */
  readonly switched: Tree | null;
  /** `high` is of the leaf. */
  permits(rights: Rights, request: Request, high: number): boolean;
  /** The same of a shadow stack's access. */
  permitsStack(leaf: StackLeaf, request: Request): boolean;
  /** Is an access that the leaf does not permit permitted for the lines that it touches? */
  permitsLines(leaf: DeniedLeaf, request: Request): boolean | Stop;
  /** Has to succeed before A or D (`setsDirty`) is set in an entry of `table`. */
  beforeMark(table: Table, setsDirty: boolean, request: Request): Stop | null;
  /** `low` is of the entry that refuses. */
  refuse(cause: "absent" | "reserved" | "denied", request: Request, low: number): Stop;
}

/** What walks report to: counters and the log. */
export interface WalkObserver {
  reference(reference: WalkReference): void;
  pwcHit(tree: Tree, level: number): void;
  bitSet(bit: "accessed" | "dirty"): void;
}
