/** Lines that people write themselves: `R 0x7ffe1230`, `W 7ffe1230 4`, `store, 0x7ffe1230`, or an address alone. */
import { type Importer, usualBytes } from "./importer.ts";

const line =
  /^(R|W|X|read|write|fetch|load|store|ld|st)[\s,:]+(?:0x)?([0-9a-f]{3,16})(?:[\s,]+(\d{1,5}))?\s*$/i;
/** A bare address needs its 0x, or any number would do. */
const bare = /^0x([0-9a-f]{1,16})\s*$/i;

const kinds = {
  r: "load",
  read: "load",
  load: "load",
  ld: "load",
  w: "store",
  write: "store",
  store: "store",
  st: "store",
  x: "fetch",
  fetch: "fetch",
} as const;

export const plainLines: Importer = {
  title: "plain R and W lines",
  isLine: (text) => line.test(text) || bare.test(text),
  read: (text) => {
    if (/^\s*(?:#.*)?$/.test(text)) return [];
    const [, alone] = bare.exec(text) ?? [];
    if (alone !== undefined) return [{ kind: "load", address: alone, bytes: usualBytes }];
    const [, word = "", address, bytes] = line.exec(text) ?? [];
    const kind = kinds[word.toLowerCase() as keyof typeof kinds] as
      (typeof kinds)[keyof typeof kinds] | undefined;
    if (kind === undefined || address === undefined) return null;
    return [{ kind, address, bytes: bytes === undefined ? usualBytes : Number(bytes) }];
  },
  allowed: "R, W or X, an address, and a size if you like: W 0x7ffe1230 4",
};
