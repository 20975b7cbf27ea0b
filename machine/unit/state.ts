import { room } from "./given.ts";

/** Indices into the scalar state `s`. Scalars live in a typed array: a closure variable would be boxed. */
export const CTX = 0;
export const CTX_GLOBAL = 1;
export const TICK = 2;
/** The entry of the second stage that a violation is about. */
export const STOP_ENTRY = 3;
export const ROOT = 4;
export const NESTED_ROOT = 6;
/** Bits of a gfn below its index into the root table. */
export const NESTED_SHIFT = 7;
export const NESTED_ROOT_FRAME = 8;
export const NESTED_AD = 9;
export const TABLE_ACCESS = 10;
export const WRITE_PROTECT = 11;
export const GLOBAL_PAGES = 12;
export const STOP = 13;
export const STOP_ERROR = 14;
export const STOP_GFN = 15;
export const STOP_KIND = 16;
export const STOP_DURING = 17;
export const PML = 18;
export const PML_INDEX = 19;
export const LAST = 20;
export const SUM = 21;
/** What a walk found: frame, and the other half of a TLB entry. */
export const W_FRAME = 22;
export const W_META = 23;
/** Not 0: the second dimension lets the table that the walk is in be written. */
export const W_TABLE = 24;
export const N_ORDER = 25;
export const N_FLAGS = 26;
export const EPOCH = 27;
export const REFS = 28;
export const GLOBALS_LIVE = 29;
/** Sizes of pages that TLBs hold since the last full flush: 1, 2, 4 for 4 KiB, 2 MiB, 1 GiB. */
export const SIZES = 30;
/** The same of the nested TLB. */
export const NESTED_SIZES = 31;
export const TICK_PWC = 32;
export const FRAGMENTS_LIVE = 34;
/** 1 once entries of two sizes cover one page (the guest did not flush): hints then serve 4 KiB pages only. */
export const OVERLAP = 35;
/** Order of all pages that TLBs hold, while they are of one size that has banks of its own; else -1. */
export const UNIFORM = 36;
/** Bits of a page's number below its index into the root table. */
export const SHIFT = 37;
/** Order of all pages that the nested TLB holds, or -1. */
export const NESTED_UNIFORM = 38;
/** Bits that a nested entry above the leaves has when the walk need not look at it closely. */
export const NESTED_NEED = 39;
/** Where the frame that `nested` found starts in the arena, or 0 when unknown. */
export const N_TABLE = 40;
/** Bits of the gfn below its index into the table that `nestedWalk` is in. */
export const N_SHIFT = 41;
/** 1 once `large` has a mark. */
export const LARGE_LIVE = 42;
/** Frames that exist: `PhysicalMemory.frames`, which changes when memory is reset. */
export const FRAMES = 43;
/** What `lookAhead` has loaded; nobody reads it. */
export const SEEN = 44;
/** Not 0: the root is a table that the first stage switches to. */
export const ROOT_SWITCHED = 5;
/** Up to where in the batch `lookAhead` has been, or was found useless; walks until then. */
export const AHEAD = 45;
export const WALKS_BEFORE = 46;
/** Where the root's table starts that silicon keeps, or 0; and whether the second stage lets it be written. */
export const KEPT_TABLE = 47;
export const KEPT_FLAGS = 33;
/** Had the walk that stopped switched? */
export const STOP_SWITCHED = 48;
/** The root of the tables that are asked first, and whether for the upper half only. */
export const ASKED_ROOT = 49;
export const ASKED_UPPER = 50;
/** The leaf that a walk of theirs found: bits below its page (or below the entry's that sent it back), the frame of its table, rights. */
export const ASKED_SHIFT = 51;
export const ASKED_FRAME = 52;
export const ASKED_RIGHTS = 53;
/** Not 0: all tables of the walk so far have the paging-write bit. */
export const W_VERIFIED = 54;
/** The lines that the access touches, a bit each; where the table of sub-page permissions starts, or -1: nobody asks. */
export const LINES = 55;
export const SUB_PAGES = 56;
/** Rights of the entries above the leaf. */
export const W_ABOVE = 57;
/** Where a wide root of the second stage starts, if its frames lie one after another in the arena; else 0. */
export const NESTED_RUN = 58;
const stateLength = 59;

export const s = room.int32(stateLength);
