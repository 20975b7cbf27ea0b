import { assert } from "../assert.ts";
import { MAY_EXECUTE, MAY_READ, MAY_WRITE } from "../formats/format.ts";
import { stages } from "./given.ts";

/**
 * The stages as constants, which V8 folds: what a unit's translation does not have costs it nothing.
 *
 * The first stage is the one that walks what the guest or its hypervisor loads as root, the second the last of the
 * list. Between them may stand one stage that the first switches to, which is then like the first but for that.
 */
const anyRight = MAY_READ | MAY_WRITE | MAY_EXECUTE;
const first = stages[0]!;
const second = stages.at(-1)!;
const guest = stages[first.switchBit === 0 ? 0 : 1]!;

export const hasSecond = stages.length > 1;
/** Bit of an entry above the leaves that switches to the tables of the guest; 0: there is none. */
export const SWITCH = first.switchBit;
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
export const FIRST_BITS = first.format.indexBits;
export const FIRST_INDEX = first.format.entries - 1;
export const FIRST_EXTRA = first.shape.rootExtraBits;
/** Does silicon set A and D in the first stage? */
export const firstMarks = first.marks;
/** May an entry be present and grant no loads? */
export const firstMayRefuseLoads = (first.format.rightsOf(FIRST_ALL, 0) & MAY_READ) === 0;
export const firstRightsMasks = first.format.rights;
/** Are leaves checked for address bits below their page? */
export const FIRST_CHECKS = first.format.checksLeaves;
/** The highest leaves. */
export const firstLeafShift = FIRST_BITS * (first.format.leafLevelMax - 1);

/** Do entries that point to tables leave rights and A alone? */
export const firstLinksPlain = first.format.linksArePlain;
export const secondLinksPlain = second.format.linksArePlain;

export const SECOND_ALL = second.format.presentAll;
export const SECOND_ANY = second.format.presentAny;
export const SECOND_LEAF = second.format.leafBits;
export const SECOND_FRAME = second.format.frameShift;
export const SECOND_A = second.format.accessed;
export const SECOND_D = second.format.dirty;
export const SECOND_BITS = second.format.indexBits;
export const SECOND_INDEX = second.format.entries - 1;
export const SECOND_EXTRA = second.shape.rootExtraBits;
export const secondRights = second.format.rights;
/** Bits of an entry that points to a table and takes no rights away. */
export const SECOND_PLAIN = SECOND_ALL | SECOND_ANY;
/** Are those bits enough to know it by? */
export const secondIsPlain =
  secondLinksPlain || (second.format.rightsOf(SECOND_PLAIN, 0) & anyRight) === anyRight;
export const secondLeafShift = SECOND_BITS * (second.format.leafLevelMax - 1);

assert(stages.length <= 2 || SWITCH !== 0, () => `unit: ${stages.length} stages in a row`);
assert(
  guest.format === first.format && guest.shape.rootExtraBits === FIRST_EXTRA,
  "unit: a walk switches to tables of its own format",
);
assert(FIRST_EXTRA + FIRST_BITS <= 30 && SECOND_EXTRA + SECOND_BITS <= 30, "unit: a root too wide");
