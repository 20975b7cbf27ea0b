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
import { entryFormat, FOLD_HIGH, MAY_EXECUTE, MAY_READ, USER_MAY, MAY_WRITE } from "./format.ts";

const masks = {
  name: "ept",
  indexBits: 9,
  pageOrder: 0,
  foldHigh: 0,
  presentAll: 0,
  presentAny: MAY_READ | MAY_EXECUTE,
  malformedMask: MAY_READ | MAY_WRITE | MAY_EXECUTE,
  malformed: MAY_WRITE,
  leafBits: 0x80,
  flipped: 0,
  leafLevelMax: 3,
  linksArePlain: false,
  frameShift: 12,
  rights: {
    lowShift: 0,
    lowMask: MAY_READ | MAY_WRITE | MAY_EXECUTE,
    upShift: 0,
    upMask: 0,
    highShift: 0,
    highMask: 0,
    always: USER_MAY,
  },
  reservedHigh: 0,
  checksLeaves: false,
  accessed: 0x100,
  dirty: 0x200,
  global: 0,
} as const;

export const ept = entryFormat(masks);

/** The same with flattened tables: see `x86Folded`. */
export const eptFolded = entryFormat({ ...masks, name: "ept flattened", foldHigh: FOLD_HIGH });
