/**
 * The entry formats as the plain walk reads them: rights, A and D bits, reserved bits.
 *
 * An absent entry is null rights. EPT has no user right: everything is the user's.
 */
import * as bits from "../../machine/entry.ts";
import type { EntryFormat } from "./plain-walk.ts";

export const x86Format: EntryFormat = {
  rights: (low, high) =>
    (low & bits.P) === 0
      ? null
      : {
          read: true,
          write: (low & bits.W) !== 0,
          execute: (high & bits.NX_HIGH) === 0,
          user: (low & bits.U) !== 0,
        },
  accessed: bits.A,
  dirty: bits.D,
};

/** Nested tables in x86-64 format: all guest memory is the user's, so an entry without U is as good as none. */
export const nptFormat: EntryFormat = {
  ...x86Format,
  rights: (low, high) => ((low & bits.U) === 0 ? null : x86Format.rights(low, high)),
};

export const eptFormat: EntryFormat = {
  rights: (low) =>
    (low & (bits.EPT_R | bits.EPT_W | bits.EPT_X)) === 0
      ? null
      : {
          read: (low & bits.EPT_R) !== 0,
          write: (low & bits.EPT_W) !== 0,
          execute: (low & bits.EPT_X) !== 0,
          user: true,
        },
  accessed: bits.EPT_A,
  dirty: bits.EPT_D,
};

/** Address bits that the machine lacks, PS where no page is, address bits below a large page. */
export function isReservedX86(level: number, low: number, high: number): boolean {
  if ((high & bits.RESERVED_HIGH) !== 0) return true;
  if ((low & bits.PS) === 0 || level === 1) return false;
  if (level === 2) return (low & 0x001f_e000) !== 0;
  if (level === 3) return (low & 0x3fff_e000) !== 0;
  return true;
}
