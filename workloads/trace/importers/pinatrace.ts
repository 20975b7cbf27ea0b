/**
 * Pin's `pinatrace.out`: `0x401136: R 0x7ffe1230`, an instruction and what it accesses.
 *
 * Source: Pin 3, source/tools/ManualExamples/pinatrace.cpp.
 */
import { type Importer, usualBytes } from "./importer.ts";

const line = /^0x([0-9a-f]+): ([RW]) 0x([0-9a-f]+)\s*$/i;

export const pinatrace: Importer = {
  title: "Pin's pinatrace",
  isLine: (text) => line.test(text),
  read: (text) => {
    if (/^\s*(?:#.*)?$/.test(text)) return [];
    const [, pc, letter, address] = line.exec(text) ?? [];
    if (pc === undefined || address === undefined) return null;
    const kind = letter?.toUpperCase() === "W" ? "store" : "load";
    return [
      { kind: "fetch", address: pc, bytes: 1 },
      { kind, address, bytes: usualBytes },
    ];
  },
  allowed: "0xPC: R 0xADDRESS or 0xPC: W 0xADDRESS",
};
