/**
 * Intel's nested tables.
 *
 *     63        51            12 11 10  9   8   7   6 5 3         2   1   0
 *     ... |     | frame address  |     | D | A | PS |   | mem type | X | W | R
 *
 * Model: no misconfigurations: what is no valid entry is one that grants nothing. Bias: none, hypervisors write none.
 *
 * Source: SDM vol. 3C 29.3.2 "EPT Translation Mechanism".
 */
import { entryFormat, MAY_EXECUTE, MAY_READ, USER_MAY, MAY_WRITE } from "./format.ts";

export const ept = entryFormat({
  name: "ept",
  indexBits: 9,
  presentAll: 0,
  presentAny: MAY_READ | MAY_WRITE | MAY_EXECUTE,
  leafBits: 0x80,
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
});
