/**
 * DynamoRIO: what `drrun -t drmemtrace -tool view` prints, and the text of its older sample `memtrace`.
 *
 *     13           3:     3256418 read         8 byte(s) @ 0x00007ffcb5d0b698 by PC 0x00007f53acd6b103
 *     0x00007ffcb5d0b698:  8, w
 *
 * Source: DynamoRIO 10, clients/drcachesim/tools/view.cpp and api/samples/memtrace_simple.c.
 */
import type { Importer } from "./importer.ts";

const access = /\b(ifetch|read|write)\s+(\d+) byte\(s\) @ 0x([0-9a-f]+)/i;
const view = /^\s*\d+\s+\d+:\s+\d+ \S/;
const kinds = { ifetch: "fetch", read: "load", write: "store" } as const;

export const drmemtrace: Importer = {
  title: "DynamoRIO's drmemtrace view",
  isLine: (text) =>
    text.startsWith("Output format:") || /<marker: /.test(text) || access.test(text),
  read: (text) => {
    const [, word = "", bytes, address] = access.exec(text) ?? [];
    const kind = kinds[word as keyof typeof kinds] as
      (typeof kinds)[keyof typeof kinds] | undefined;
    if (kind !== undefined && address !== undefined) {
      return [{ kind, address, bytes: Number(bytes) }];
    }
    // A record of accesses that was cut; markers, prefetches and the tool's own words are none.
    return view.test(text) && /\b(?:ifetch|read|write)\b/.test(text) && !/<marker: /.test(text)
      ? null
      : [];
  },
  allowed: "ifetch, read or write N byte(s) @ 0xADDRESS",
};

const simple = /^0x([0-9a-f]+):\s+(\d+), (\w+)\s*$/i;

export const memtrace: Importer = {
  title: "DynamoRIO's memtrace",
  isLine: (text) => text.startsWith("Format: <") || simple.test(text),
  read: (text) => {
    if (/^\s*$/.test(text) || text.startsWith("Format: <")) return [];
    const [, address, bytes, word] = simple.exec(text) ?? [];
    if (address === undefined) return null;
    const kind = word === "r" ? "load" : word === "w" ? "store" : "fetch";
    return [{ kind, address, bytes: Number(bytes) }];
  },
  allowed: "0xADDRESS: SIZE, r or w or an instruction's name",
};
