/**
 * A page-table entry as 64 boxes, bit 63 first, the flags named.
 */
import type { EntryFormat } from "../../machine/entry-text.ts";
import { element } from "../page/browser/dom.ts";

const flagNames: Readonly<Record<EntryFormat, Readonly<Record<number, string>>>> = {
  "x86-64": {
    0: "P",
    1: "W",
    2: "U",
    3: "PWT",
    4: "PCD",
    5: "A",
    6: "D",
    7: "PS",
    8: "G",
    63: "NX",
  },
  riscv: { 0: "V", 1: "R", 2: "W", 3: "X", 4: "U", 5: "G", 6: "A", 7: "D" },
  arm: {
    0: "V",
    1: "PG",
    6: "EL0",
    7: "RO",
    10: "AF",
    11: "nG",
    51: "DBM",
    53: "PXN",
    54: "UXN",
    55: "SW",
  },
  "arm-s2": { 0: "V", 1: "PG", 6: "R", 7: "W", 10: "AF", 54: "XN" },
  ept: { 0: "R", 1: "W", 2: "X", 7: "PS", 8: "A", 9: "D" },
  "second-level": { 0: "R", 1: "W", 7: "PS", 8: "A", 9: "D" },
};
const frameBits = { first: 12, last: 51 };
const entryBits = 64;
const bitsPerRow = 16;

export interface Entry {
  /** 64 bits, hexadecimal. */
  readonly value: string;
  readonly format: EntryFormat;
  /** For whoever listens. */
  readonly meaning: string;
}

export function entryBoxes({ value, format, meaning }: Entry): HTMLElement {
  const bits = Array.from(value)
    .map((digit) => Number.parseInt(digit, 16).toString(2).padStart(4, "0"))
    .join("");
  const rows = Array.from({ length: entryBits / bitsPerRow }, (_, row) => {
    const boxes = Array.from({ length: bitsPerRow }, (__, column) => {
      const place = row * bitsPerRow + column;
      return box(bits[place] === "1", entryBits - 1 - place, format);
    });
    return element("div", { class: "bit-row" }, ...boxes);
  });
  return element(
    "div",
    { class: "bits", role: "img", "aria-label": `Entry 0x${value}: ${meaning}` },
    ...rows,
  );
}

function box(isSet: boolean, bit: number, format: EntryFormat): HTMLElement {
  const flag = flagNames[format][bit] ?? "";
  const isFrame = bit >= frameBits.first && bit <= frameBits.last;
  const kind = flag === "" ? "" : " flag";
  return element(
    "span",
    { class: `bit${isSet ? " set" : ""}${isFrame ? " frame" : ""}${kind}` },
    element("b", {}, isSet ? "1" : "0"),
    element("i", {}, flag === "" ? String(bit) : flag),
  );
}
