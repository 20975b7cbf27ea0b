/**
 * RISC-V's entries, of Sv39, Sv48 and Sv57 alike, and of the second stage that a hypervisor adds to them.
 *
 *     63          54 53             10 9  8   7   6   5   4   3   2   1   0
 *     N PBMT  ...   | frame number    | RSW | D | A | G | U | X | W | R | V
 *
 * An entry with none of R, W, X points to a table and carries no rights. The second stage widens the root by two index
 * bits (Sv39x4), and all its pages are the user's.
 *
 * Model: no NAPOT pages, no memory types; a leaf that grants stores but no loads is taken as it is. Bias: none.
 *
 * Source: RISC-V privileged specification, "Sv39: Page-Based 39-bit Virtual-Memory System", "Two-Stage Address
 * Translation".
 */
import {
  entryFormat,
  MAY_EXECUTE,
  MAY_READ,
  MAY_WRITE,
  noRights,
  USER_MAY,
  usualMasks,
} from "./format.ts";

const masks = {
  ...usualMasks,
  name: "sv39",
  presentAll: 1,
  presentAny: 1,
  leafBits: 0xe,
  linksArePlain: true,
  frameShift: 10,
  rights: {
    ...noRights,
    lowShift: 1,
    lowMask: MAY_READ | MAY_WRITE | MAY_EXECUTE | USER_MAY,
  },
  reservedHigh: 0xffc0_0000 | 0,
  checksLeaves: true,
  link: 1,
  leaf: 0x1f,
  largeLeaf: 0x1f,
  write: 4,
  execute: 8,
  accessed: 0x40,
  dirty: 0x80,
  global: 0x20,
} as const;

export const riscv = entryFormat(masks);

/**
 * The second stage, whose root has two index bits more (Sv39x4, Sv48x4, Sv57x4): a hypervisor's tables. G means nothing.
 * Model: nothing checks its reserved bits and its alignment, as with EPT. Bias: none, hypervisors write sound entries.
 */
export const riscvSecond = entryFormat({
  ...masks,
  name: "sv39x4",
  reservedHigh: 0,
  checksLeaves: false,
  global: 0,
});
