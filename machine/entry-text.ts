/**
 * Page-table entries as people read them: value, frame, names of the flags that are set.
 *
 * Source: SDM vol. 3A 4.5 "4-Level Paging and 5-Level Paging", vol. 3C 29.3.2 "EPT Translation Mechanism".
 */
import { hexAddress } from "./address.ts";
import type { Controls } from "./controls.ts";
import {
  A,
  D,
  EPT_A,
  EPT_D,
  EPT_PS,
  EPT_R,
  EPT_W,
  EPT_X,
  frameOf,
  G,
  NX_HIGH,
  P,
  PS,
  U,
  W,
} from "./entry.ts";
import { ept, eptFolded } from "./formats/ept.ts";
import { FOLD_HIGH } from "./formats/format.ts";
import { SL_PS, SL_R, SL_W, secondLevel } from "./formats/second-level.ts";

export type EntryFormat = "x86-64" | "ept" | "second-level";

/** How entries of the nested dimension read under these controls; null without one. */
export function nestedFormatOf({ stages }: Controls): EntryFormat | null {
  const last = stages(4).at(-1);
  if (last === undefined || last.root === null) return null;
  return last.format === ept || last.format === eptFolded ? "ept" : "x86-64";
}

type Flag = readonly [name: string, bit: number];

const flags: Readonly<Record<EntryFormat, readonly Flag[]>> = {
  "x86-64": [
    ["P", P],
    ["W", W],
    ["U", U],
    ["A", A],
    ["D", D],
    ["G", G],
  ],
  ept: [
    ["R", EPT_R],
    ["W", EPT_W],
    ["X", EPT_X],
    ["A", EPT_A],
    ["D", EPT_D],
  ],
  "second-level": [
    ["R", SL_R],
    ["W", SL_W],
    ["A", secondLevel.accessed],
    ["D", secondLevel.dirty],
  ],
};

/** An entry at a level above 1 with this bit is a leaf; at level 1 the bit is PAT or ignored. */
const pageSize: Readonly<Record<EntryFormat, number>> = {
  "x86-64": PS,
  ept: EPT_PS,
  "second-level": SL_PS,
};

/** 64 bits in hexadecimal, all digits. */
export function entryValue(low: number, high: number): string {
  const digits = (half: number) => (half >>> 0).toString(16).padStart(8, "0");
  return digits(high) + digits(low);
}

/** `frame 0x85000 P W U A PS`. */
export function entryText(low: number, high: number, format: EntryFormat, level: number): string {
  const names = flags[format].filter(([, bit]) => (low & bit) !== 0).map(([name]) => name);
  if (level > 1 && (low & pageSize[format]) !== 0) names.push("PS");
  if (format === "x86-64" && (high & NX_HIGH) !== 0) names.push("NX");
  if ((high & FOLD_HIGH) !== 0) names.push("FOLD");
  return `frame 0x${hexAddress(frameOf(low, high))} ${names.join(" ")}`;
}
