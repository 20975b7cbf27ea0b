/**
 * An address as the walker cuts it: nine bits for each level, twelve for the byte, a colour for each part.
 */
import { element } from "../page/browser/dom.ts";
import { entryNames } from "./walk-words.ts";

export interface AddressToSplit {
  /** `GVA` or `GPA`. */
  readonly kind: string;
  /** Hexadecimal, with 0x. */
  readonly text: string;
  readonly levels: number;
  /** The part that picks the entry being read; null for none. */
  readonly now: number | null;
}

const indexBits = 9n;
const byteBits = 12n;

export function addressSplit({ kind, text, levels, now }: AddressToSplit): HTMLElement {
  const address = BigInt(text);
  const parts = Array.from({ length: levels }, (_, place) => {
    const level = levels - place;
    const from = byteBits + indexBits * BigInt(level - 1);
    const index = Number((address / 2n ** from) % 2n ** indexBits);
    return part(`level-${level}`, entryNames[level] ?? "", String(index), level === now);
  });
  const byte = Number(address % 2n ** byteBits);
  return element(
    "div",
    {
      class: "split",
      role: "img",
      "aria-label": `${kind} ${text}: ${parts.map(({ title }) => title).join(", ")}`,
    },
    element("span", { class: "split-kind" }, `${kind} `, element("code", {}, text)),
    ...parts,
    part("level-0", "byte", `0x${byte.toString(16)}`, false),
  );
}

function part(style: string, name: string, value: string, isNow: boolean): HTMLElement {
  return element(
    "span",
    { class: `split-part ${style}${isNow ? " now" : ""}`, title: `${name} ${value}` },
    element("b", {}, value),
    element("i", {}, name),
  );
}
