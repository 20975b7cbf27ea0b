import { assert } from "../assert.ts";
import { entriesPerTable } from "../address.ts";
import { MAY_EXECUTE, MAY_READ, MAY_WRITE, USER_MAY } from "../formats/format.ts";
import { stages } from "./given.ts";

/**
 * The stages as constants, which V8 folds: what a unit's translation does not have costs it nothing.
 *
 * The first stage is the one that walks what the guest or its hypervisor loads as root, the second the last of the
 * list. Between them may stand one stage that the first switches to, which is then like the first but for that.
 */
const anyRight = MAY_READ | MAY_WRITE | MAY_EXECUTE;
const indexBitsOfFrame = 9;
const first = stages[0]!;
const second = stages.at(-1)!;
const guest = stages[first.switchBit === 0 ? 0 : 1]!;

export const hasSecond = stages.length > 1;
/** Bit of an entry above the leaves that switches to the tables of the guest; 0: there is none. */
export const SWITCH = first.switchBit;
/** Bit of a present entry by which a walk of the tables that are asked first starts again; 0: there are no such tables. */
export const RESTART = first.askedFirst?.restartBit ?? 0;
/** Are the first root's frames those of the second stage? */
export const startsThrough = first.through !== null;

export const FIRST_ALL = first.format.presentAll;
export const FIRST_ANY = first.format.presentAny;
export const FIRST_LEAF = first.format.leafBits;
export const FIRST_FRAME = first.format.frameShift;
export const FIRST_RESERVED = first.format.reservedHigh;
export const FIRST_A = first.format.accessed;
export const FIRST_D = first.format.dirty;
export const FIRST_G = first.format.global;
export const FIRST_FLIP = first.format.flipped;
export const FIRST_BITS = first.format.indexBits;
/** log2 of the smallest page. */
export const FIRST_LOW = first.format.pageOrder;
/** Of the entries in one frame of a table. */
export const FIRST_INDEX = entriesPerTable - 1;
/** Bit of the high half by which the table below is two levels in one; 0: there is none. */
export const FIRST_FOLD = first.format.foldHigh;
/** log2 of the frames that the root takes, another table, and one of two levels. */
export const firstRootParts = FIRST_BITS + first.shape.rootExtraBits - indexBitsOfFrame;
export const firstParts = FIRST_BITS - indexBitsOfFrame;
export const firstFoldParts = 2 * FIRST_BITS - indexBitsOfFrame;
/** May a table below the root take more than a frame? */
export const firstHasParts = firstParts !== 0 || FIRST_FOLD !== 0;
/** Does silicon keep where the root's table lies? */
export const keepsRoot = first.keepsRoot;
/** Does silicon set A and D in the first stage? */
export const firstMarks = first.marks;
/** Does it refuse leaves without A, or D for a store? */
export const firstRefuses = first.refusesUnmarked;
export const secondRefuses = second.refusesUnmarked;
/** May an entry be present and grant no loads? */
export const firstMayRefuseLoads = (first.format.rightsOf(FIRST_ALL, 0) & MAY_READ) === 0;
export const firstRightsMasks = first.format.rights;
/** Are leaves checked for address bits below their page? */
export const FIRST_CHECKS = first.format.checksLeaves;
/** The highest leaves. */
export const firstLeafShift = FIRST_LOW + FIRST_BITS * (first.format.leafLevelMax - 1);

/** Has each mode a right to execute of its own? */
export const firstFetchesByMode = first.format.fetchesByMode;
/** Do entries that point to tables leave rights and A alone? */
export const firstLinksPlain = first.format.linksArePlain;
export const secondLinksPlain = second.format.linksArePlain;

export const SECOND_ALL = second.format.presentAll;
export const SECOND_ANY = second.format.presentAny;
export const SECOND_LEAF = second.format.leafBits;
export const SECOND_FRAME = second.format.frameShift;
export const SECOND_A = second.format.accessed;
export const SECOND_D = second.format.dirty;
export const SECOND_FLIP = second.format.flipped;
export const SECOND_BITS = second.format.indexBits;
export const SECOND_LOW = second.format.pageOrder;
export const SECOND_INDEX = entriesPerTable - 1;
export const SECOND_FOLD = second.format.foldHigh;
export const secondRootParts = SECOND_BITS + second.shape.rootExtraBits - indexBitsOfFrame;
export const secondParts = SECOND_BITS - indexBitsOfFrame;
export const secondFoldParts = 2 * SECOND_BITS - indexBitsOfFrame;
export const secondHasParts = secondParts !== 0 || SECOND_FOLD !== 0;
export const secondRights = second.format.rights;
/** Has a leaf to say that its page is the user's, for all of a guest's memory is? Some formats have that in `presentAll`. */
export const secondAsksUser =
  !second.format.executesByMode &&
  ((secondRights.always | second.format.rightsOf(SECOND_ALL, 0)) & USER_MAY) === 0;
export const secondMalformed = (e: number): boolean => second.format.isMalformed(e);
/** Bits of an entry that points to a table and takes no rights away. */
export const SECOND_PLAIN =
  SECOND_ALL | SECOND_ANY | (secondRights.highMask === 0 ? secondRights.lowMask : 0);
/** Are those bits enough to know it by? */
export const secondIsPlain =
  secondLinksPlain || (second.format.rightsOf(SECOND_PLAIN, 0) & anyRight) === anyRight;
/** Bits of a leaf's high half: walks may write to the page, the page asks for tables with that bit. 0: there are none. */
export const SECOND_PW = second.format.pagingWriteHigh;
export const SECOND_VERIFY = second.format.verifyHigh;
export const hasPagingWrite = SECOND_PW !== 0;
/** Bit of a leaf's high half: a store that W refuses asks the sub-page permissions. 0: there are none. */
export const SECOND_SPP = second.format.subPageHigh;
export const hasSubPages = SECOND_SPP !== 0;
/** Are there shadow stacks, and bit of a nested leaf's high half by which the supervisor's are where they may be (0: none)? */
export const hasShadowStacks = first.shadowStacks;
export const SECOND_SSS = hasShadowStacks ? second.format.supervisorStackHigh : 0;
/** May its root be exchanged, so that caches know whose translations they keep? */
export const hasViews = second.hasViews;
/** Has the right to execute two bits, one for pages of the user's? */
export const secondByMode = second.format.executesByMode;
export const secondLeafShift = SECOND_LOW + SECOND_BITS * (second.format.leafLevelMax - 1);
/** Are there pages of other sizes than TLBs have? */
export const hasOddPages =
  FIRST_LOW + SECOND_LOW !== 0 || FIRST_BITS !== indexBitsOfFrame || SECOND_BITS !== FIRST_BITS;

assert(!firstFetchesByMode || firstLinksPlain, "unit: links that take one mode's right away");
assert(stages.length <= 2 || SWITCH !== 0, () => `unit: ${stages.length} stages in a row`);
assert(
  guest.format === first.format && guest.shape.rootExtraBits === first.shape.rootExtraBits,
  "unit: a walk switches to tables of its own format",
);
assert(RESTART === 0 || (startsThrough && SWITCH === 0 && !firstHasParts), "unit: asks first");
assert(!keepsRoot || !hasPagingWrite, "unit: a kept root is not verified");
assert(firstParts >= 0 && secondParts >= 0, "unit: tables smaller than a frame");
assert(firstRootParts <= 21 && secondRootParts <= 21, "unit: a root too wide");
assert(SWITCH === 0 || !firstHasParts, "unit: a walk switches to tables of one frame each");
assert(
  !hasShadowStacks || (RESTART === 0 && SWITCH === 0 && !firstLinksPlain),
  "unit: shadow stacks where a walk goes through other tables",
);
