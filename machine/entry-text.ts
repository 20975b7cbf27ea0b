/**
 * Page-table entries as people read them: value, frame, names of the flags that are set.
 *
 * Source: SDM vol. 3A 4.5 "4-Level Paging and 5-Level Paging", vol. 3C 29.3.2 "EPT Translation Mechanism"; RISC-V privileged
 * specification, "Sv39: Page-Based 39-bit Virtual-Memory System"; Arm ARM D8.3 "Translation table descriptor formats".
 */
import { hexAddress } from "./address.ts";
import type { Controls } from "./controls.ts";
import { A, D, EPT_A, EPT_D, EPT_R, EPT_W, EPT_X, G, NX_HIGH, P, U, W } from "./entry.ts";
import { arm4k, arm4kHafdbs, arm4kStage2 } from "./formats/arm.ts";
import { ept, eptByMode, eptFolded } from "./formats/ept.ts";
import { type EntryFormat as Format, FOLD_HIGH } from "./formats/format.ts";
import { riscv, riscvSecond } from "./formats/riscv.ts";
import { SL_R, SL_W, secondLevel } from "./formats/second-level.ts";
import { x86 } from "./formats/x86.ts";

export type EntryFormat = "x86-64" | "ept" | "second-level" | "riscv" | "arm" | "arm-s2";

/** How entries of the first dimension read under these controls, and of the nested one: null without one. */
export function formatsOf({ stages }: Controls): {
  readonly guest: EntryFormat;
  readonly nested: EntryFormat | null;
} {
  const all = stages(4);
  const last = all.at(-1);
  const isNested = last !== undefined && last.root !== null;
  return { guest: wordsOf(all[0]?.format), nested: isNested ? wordsOf(last.format) : null };
}

/** How entries of the nested dimension read under these controls; null without one. */
export function nestedFormatOf(controls: Controls): EntryFormat | null {
  return formatsOf(controls).nested;
}

function wordsOf(format: Format | undefined): EntryFormat {
  if (format === ept || format === eptFolded || format === eptByMode) return "ept";
  if (format === riscv || format === riscvSecond) return "riscv";
  if (format === arm4kStage2) return "arm-s2";
  return format === arm4k || format === arm4kHafdbs ? "arm" : "x86-64";
}

/** A bit of the low half, or of the high one. */
type Flag = readonly [name: string, bit: number, half?: "high"];

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
  riscv: [
    ["V", 0x01],
    ["R", 0x02],
    ["W", 0x04],
    ["X", 0x08],
    ["U", 0x10],
    ["G", 0x20],
    ["A", 0x40],
    ["D", 0x80],
  ],
  arm: [
    ["V", 0x001],
    ["EL0", 0x040],
    ["RO", 0x080],
    ["AF", 0x400],
    ["nG", 0x800],
    ["DBM", 0x0008_0000, "high"],
    ["PXN", 0x0020_0000, "high"],
    ["UXN", 0x0040_0000, "high"],
  ],
  "arm-s2": [
    ["V", 0x001],
    ["R", 0x040],
    ["W", 0x080],
    ["AF", 0x400],
    ["XN", 0x0040_0000, "high"],
  ],
};

/** How a leaf above level 1 says that it is one. RISC-V has no flag for it: a leaf has one of R, W, X. */
const leafNames: Readonly<Record<EntryFormat, string | null>> = {
  "x86-64": "PS",
  ept: "PS",
  "second-level": "PS",
  riscv: null,
  arm: "BLOCK",
  "arm-s2": "BLOCK",
};

/** What tells leaves above level 1, and where the frame is. */
const layouts: Readonly<Record<EntryFormat, Format>> = {
  "x86-64": x86,
  ept,
  "second-level": secondLevel,
  riscv,
  arm: arm4k,
  "arm-s2": arm4kStage2,
};

/** 64 bits in hexadecimal, all digits. */
export function entryValue(low: number, high: number): string {
  const digits = (half: number) => (half >>> 0).toString(16).padStart(8, "0");
  return digits(high) + digits(low);
}

/** `frame 0x85000 P W U A PS`. */
export function entryText(low: number, high: number, format: EntryFormat, level: number): string {
  const isSet = ([, bit, half]: Flag) => ((half === "high" ? high : low) & bit) !== 0;
  const names = flags[format].filter(isSet).map(([name]) => name);
  const layout = layouts[format];
  const leafName = leafNames[format];
  const isLeaf = level > 1 && ((low ^ layout.flipped) & layout.leafBits) !== 0;
  if (leafName !== null && isLeaf) names.push(leafName);
  if (format === "x86-64" && (high & NX_HIGH) !== 0) names.push("NX");
  if ((high & FOLD_HIGH) !== 0) names.push("FOLD");
  return `frame 0x${hexAddress(layout.frameOf(low, high))} ${names.join(" ")}`;
}
