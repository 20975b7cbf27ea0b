/**
 * Entries of IO tables as drivers write them: what a leaf carries for each right, what links a table.
 *
 * In both formats an entry without its two lowest bits is not present, and bit 7 marks a large leaf.
 *
 * Source: VT-d specification 9.7, 9.8.
 */
import { userLink, userPage, withoutWrite } from "../../machine/formats/x86-entry.ts";
import { SL_R, SL_W } from "../../machine/formats/second-level.ts";

export type DmaRights = "read" | "write" | "read-write";
export type IoFormat = "first-level" | "second-level";

/** Flags of both halves. */
interface Flags {
  readonly low: number;
  readonly high: number;
}

export interface EntryFlags {
  readonly leaf: Readonly<Record<DmaRights, Flags>>;
  /** Of an entry that names a table one level down. */
  readonly link: Flags;
}

const low = (bits: number): Flags => ({ low: bits, high: 0 });

export const ioFormats: Readonly<Record<IoFormat, EntryFlags>> = {
  "second-level": {
    leaf: { read: low(SL_R), write: low(SL_W), "read-write": low(SL_R | SL_W) },
    link: low(SL_R | SL_W),
  },
  // A and D are set by software, so that silicon need not.
  "first-level": {
    leaf: {
      read: low(withoutWrite(userLink)),
      write: low(userPage),
      "read-write": low(userPage),
    },
    link: low(userLink),
  },
};
