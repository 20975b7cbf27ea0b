/**
 * Dinero's `din`: `0 7ffe1230`, label and address; 0 reads, 1 writes, 2 fetches, 3 and 4 say other things.
 *
 * Source: Dinero IV, trace format "d".
 */
import { type Importer, usualBytes } from "./importer.ts";

const line = /^([0-4])[ \t]+(?:0x)?([0-9a-f]{1,16})(?:[ \t].*)?$/i;
const kinds = ["load", "store", "fetch"] as const;

export const din: Importer = {
  title: "Dinero's din",
  isLine: (text) => /^[0-4][ \t]+(?:0x)?[0-9a-f]{3,16}\b/i.test(text),
  read: (text) => {
    if (/^\s*(?:#.*)?$/.test(text)) return [];
    const [, label, address] = line.exec(text) ?? [];
    if (address === undefined) return null;
    const kind = kinds[Number(label)];
    return kind === undefined ? [] : [{ kind, address, bytes: kind === "fetch" ? 4 : usualBytes }];
  },
  allowed: "0, 1 or 2, a blank and an address",
};
