/**
 * Intel's nested tables.
 *
 *     63        51            12 11 10  9   8   7   6 5 3         2   1   0
 *     ... |     | frame address  |     | D | A | PS |   | mem type | X | W | R
 *
 * Model: of the misconfigured entries, silicon knows the one that may be written and neither read nor executed; KVM marks
 * MMIO with another of them, X and W without R. Other entries that are not valid grant what their bits say. Bias: none,
 * hypervisors write no others.
 *
 * Source: SDM vol. 3C 29.3.2 "EPT Translation Mechanism", 29.3.3.1 "EPT Misconfigurations".
 */
import {
  entryFormat,
  FOLD_HIGH,
  MAY_EXECUTE,
  MAY_READ,
  MAY_WRITE,
  noRights,
  USER_MAY,
  usualMasks,
} from "./format.ts";

const rights = {
  ...noRights,
  lowMask: MAY_READ | MAY_WRITE | MAY_EXECUTE,
  always: USER_MAY,
} as const;

const masks = {
  ...usualMasks,
  name: "ept",
  presentAll: 0,
  presentAny: MAY_READ | MAY_EXECUTE,
  malformedMask: MAY_READ | MAY_WRITE | MAY_EXECUTE,
  malformed: MAY_WRITE,
  leafBits: 0x80,
  rights,
  link: 7,
  // Memory type write-back is in bits 5 to 3.
  leaf: 0x37,
  largeLeaf: 0xb7,
  write: 2,
  execute: 4,
  accessed: 0x100,
  dirty: 0x200,
  global: 0,
} as const;

export const ept = entryFormat(masks);

/** The same with flattened tables: see `x86Folded`. */
export const eptFolded = entryFormat({ ...masks, name: "ept flattened", foldHigh: FOLD_HIGH });

/** Bit 10 of an entry under mode-based execute control: user pages may be executed. */
export const EPT_XU = 0x400;

/**
 * The same under mode-based execute control (MBEC): bit 2 is for fetches from supervisor pages, bit 10 from the user's.
 * The guest's tables say which page is which, whatever mode the guest is in.
 *
 * Source: SDM vol. 3C 25.6.2 "Secondary Processor-Based VM-Execution Controls", 29.3.3.1.
 */
export const eptByMode = entryFormat({
  ...masks,
  name: "ept-mbec",
  presentAny: masks.presentAny | EPT_XU,
  link: masks.link | EPT_XU,
  leaf: masks.leaf | EPT_XU,
  largeLeaf: masks.largeLeaf | EPT_XU,
  malformedMask: masks.malformedMask | EPT_XU,
  rights: { ...rights, downShift: 7, downMask: USER_MAY, always: 0 },
  executesByMode: true,
});

/** Bits 58 and 57 of a leaf, in the high half: paging-write access, verify guest paging. */
export const EPT_PW_HIGH = 0x0400_0000;
export const EPT_VGP_HIGH = 0x0200_0000;

/**
 * The same with paging-write control (PW) and guest-paging verification (GPV), of Intel's VT-rp: a table of the guest's
 * that it cannot store to takes A and D bits all the same, and a page may ask that tables like that have led to it.
 *
 * Source: SDM vol. 3C 29.3.3.2 "EPT Violations", table 29-6; S. Tanda, "Intel VT-rp", part 2.
 */
export const eptPagingWrite = entryFormat({
  ...masks,
  name: "ept-pw",
  pagingWriteHigh: EPT_PW_HIGH,
  verifyHigh: EPT_VGP_HIGH,
});

/** Bit 61 of a leaf, in the high half: a store that W refuses asks the sub-page permissions. */
export const EPT_SPP_HIGH = 0x2000_0000;

/** The same with sub-page write permissions (SPP): see `sub-pages.ts`. */
export const eptSubPage = entryFormat({ ...masks, name: "ept-spp", subPageHigh: EPT_SPP_HIGH });

/** Bit 60 of a leaf, in the high half: supervisor shadow stack. */
export const EPT_SSS_HIGH = 0x1000_0000;

/**
 * The same with supervisor shadow-stack control (bit 7 of the EPTP): where the supervisor's return addresses may be is the
 * hypervisor's to say, and such a page need not be writable.
 *
 * Source: SDM vol. 3C 25.6.11 "Extended-Page-Table Pointer (EPTP)", 29.3.3.2 "EPT Violations".
 */
export const eptShadowStack = entryFormat({
  ...masks,
  name: "ept-sss",
  supervisorStackHigh: EPT_SSS_HIGH,
});
