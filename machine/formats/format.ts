/**
 * What a page-table entry looks like, as data: which bits make it present, a leaf, reserved, readable.
 *
 * An entry is 8 little-endian bytes, read as two int32 halves. Units write their own code over the masks; everybody else
 * asks the functions that `entryFormat` makes of them.
 */

/** Rights of an entry, or of a path of entries (the AND of theirs). */
export const MAY_READ = 1;
export const MAY_WRITE = 2;
export const MAY_EXECUTE = 4;
export const USER_MAY = 8;
/** Of formats with a right to execute for each mode, the supervisor's; `MAY_EXECUTE` is the user's there. */
export const SUPERVISOR_MAY_EXECUTE = 16;

/** Bit 58, in the high half: what flattened formats have as `foldHigh`. */
export const FOLD_HIGH = 0x0400_0000;

/** Masks are of the low half unless they say otherwise. */
export interface EntryMasks {
  readonly name: string;
  /** log2 of the entries in a table. */
  readonly indexBits: number;
  /** log2 of the smallest page, in units of 4 KiB: Arm has granules of 4, 16 and 64 KiB. */
  readonly pageOrder: number;
  /**
   * Bit of the high half by which an entry says that the table below it is two levels in one: as many index bits as both,
   * one after another in memory. 0: there is none.
   */
  readonly foldHigh: number;
  /** A present entry has all of these and at least one of those. */
  readonly presentAll: number;
  readonly presentAny: number;
  /** An entry of which these bits are `malformed` is a misconfiguration to silicon, and not present. Mask 0: there is none. */
  readonly malformedMask: number;
  readonly malformed: number;
  /** An entry above level 1 with one of these is a leaf, if pages of its level exist. */
  readonly leafBits: number;
  /** Bits of the low half that say the opposite of what is written here of them, A, D and G too: Arm has some. */
  readonly flipped: number;
  readonly leafLevelMax: number;
  /** Do entries that point to tables carry neither rights nor A, as in RISC-V's? */
  readonly linksArePlain: boolean;
  /** Bits below the frame number. */
  readonly frameShift: number;
  /**
   * Rights: `((low >>> lowShift) & lowMask) | ((low >>> downShift) & downMask) | ((low << upShift) & upMask) |
   * ((~high >>> highShift) & highMask) | ((~high >>> modeShift) & modeMask) | ((high >>> grantShift) & grantMask)`, and
   * those that everybody has; `low` with its `flipped` bits the other way round.
   */
  readonly rights: {
    readonly lowShift: number;
    readonly lowMask: number;
    readonly downShift: number;
    readonly downMask: number;
    readonly upShift: number;
    readonly upMask: number;
    readonly highShift: number;
    readonly highMask: number;
    readonly modeShift: number;
    readonly modeMask: number;
    readonly grantShift: number;
    readonly grantMask: number;
    readonly always: number;
  };
  /**
   * Of a guest's format: has each mode a right to execute of its own, `MAY_EXECUTE` and `SUPERVISOR_MAY_EXECUTE`? Links
   * are plain then.
   */
  readonly fetchesByMode: boolean;
  /**
   * Of a nested format: is `MAY_EXECUTE` for pages that the guest's tables give to the supervisor alone, and `USER_MAY`
   * the same right for the user's?
   */
  readonly executesByMode: boolean;
  /** Bit of the high half of a nested leaf by which walks may set A and D in the page, whatever W says. 0: there is none. */
  readonly pagingWriteHigh: number;
  /**
   * Bit of the high half of a nested leaf by which the page may be reached through tables with that other bit only.
   * 0: there is none.
   */
  readonly verifyHigh: number;
  /**
   * Bit of the high half of a nested leaf at level 1 by which a store that W refuses asks the sub-page permissions.
   * 0: there is none. See `sub-pages.ts`.
   */
  readonly subPageHigh: number;
  /**
   * Bit of the high half of a nested leaf by which its page is a shadow stack of the supervisor's: its shadow-stack accesses
   * ask for this bit, R, and W above, in place of W. 0: there is none.
   */
  readonly supervisorStackHigh: number;
  /** Bits of the high half that no entry may have. */
  readonly reservedHigh: number;
  /** May a leaf name a frame that its size does not divide, or be where no page is? Then nothing checks it. */
  readonly checksLeaves: boolean;
  /** Bits of an entry that points to a table and takes no right away; one without any of them is empty. */
  readonly link: number;
  /** Bits of a leaf at level 1 that grants all rights, A and D clear, and of one above. */
  readonly leaf: number;
  readonly largeLeaf: number;
  /** Bits of the low half by which a leaf grants stores and fetches; 0: another bit takes the right away. */
  readonly write: number;
  readonly execute: number;
  readonly accessed: number;
  readonly dirty: number;
  readonly global: number;
}

/** What a format has unless it says otherwise: 512 entries a table for pages of 4 KiB, and nothing that is special. */
export const usualMasks = {
  indexBits: 9,
  pageOrder: 0,
  foldHigh: 0,
  malformedMask: 0,
  malformed: 0,
  flipped: 0,
  leafLevelMax: 3,
  linksArePlain: false,
  frameShift: 12,
  fetchesByMode: false,
  executesByMode: false,
  pagingWriteHigh: 0,
  verifyHigh: 0,
  subPageHigh: 0,
  supervisorStackHigh: 0,
  reservedHigh: 0,
  checksLeaves: false,
} as const satisfies Partial<EntryMasks>;

/** Rights that no bit grants, to name those that do. */
export const noRights = {
  lowShift: 0,
  lowMask: 0,
  downShift: 0,
  downMask: 0,
  upShift: 0,
  upMask: 0,
  highShift: 0,
  highMask: 0,
  modeShift: 0,
  modeMask: 0,
  grantShift: 0,
  grantMask: 0,
  always: 0,
} as const satisfies EntryMasks["rights"];

export interface EntryFormat extends EntryMasks {
  /** Entries of a table. */
  readonly entries: number;
  isPresent(low: number): boolean;
  isMalformed(low: number): boolean;
  /** At `level`, counted from 1 for the smallest pages. */
  isLeaf(level: number, low: number): boolean;
  /** Is the entry, a present one, malformed at this level? */
  isReserved(level: number, low: number, high: number): boolean;
  /** `MAY_*` and `USER_MAY` of a present entry. */
  rightsOf(low: number, high: number): number;
  frameOf(low: number, high: number): number;
}

/** A format from its masks. */
export function entryFormat(masks: EntryMasks): EntryFormat {
  const { presentAll, presentAny, leafBits, leafLevelMax, frameShift, indexBits, rights } = masks;
  const { flipped } = masks;
  return {
    ...masks,
    entries: 2 ** indexBits,
    isPresent: (low) => (low & presentAll) === presentAll && (low & presentAny) !== 0,
    isMalformed: (low) =>
      masks.malformedMask !== 0 && (low & masks.malformedMask) === masks.malformed,
    isLeaf: (level, low) =>
      level === 1 || (level <= leafLevelMax && ((low ^ flipped) & leafBits) !== 0),
    isReserved(level, low, high) {
      if ((high & masks.reservedHigh) !== 0) return true;
      if (!masks.checksLeaves || level === 1 || ((low ^ flipped) & leafBits) === 0) return false;
      return level > leafLevelMax || (low & misaligned(masks, level)) !== 0;
    },
    rightsOf: (low, high) =>
      (((low ^ flipped) >>> rights.lowShift) & rights.lowMask) |
      (((low ^ flipped) >>> rights.downShift) & rights.downMask) |
      (((low ^ flipped) << rights.upShift) & rights.upMask) |
      ((~high >>> rights.highShift) & rights.highMask) |
      ((~high >>> rights.modeShift) & rights.modeMask) |
      ((high >>> rights.grantShift) & rights.grantMask) |
      rights.always,
    frameOf: (low, high) => ((low >>> frameShift) | (high << (32 - frameShift))) >>> 0,
  };
}

/** Address bits below a page of `level`; the lowest one of a frame number is x86's PAT. */
function misaligned(masks: EntryMasks, level: number): number {
  return ((1 << (orderAt(masks, level) + masks.frameShift)) - 1) & (-2 << masks.frameShift);
}

/** log2 of the 4 KiB pages that one entry at `level` covers. */
export function orderAt(
  { indexBits, pageOrder }: Pick<EntryMasks, "indexBits" | "pageOrder">,
  level: number,
): number {
  return pageOrder + indexBits * (level - 1);
}
