/**
 * What emulators write of each instruction: gem5's `--debug-flags=ExecAll`, QEMU's plugin `execlog`.
 *
 *     5000: system.cpu: A0 T0 : 0x400100 @main+4 : MOV_R_M : ld rax, DS:[rsp] : MemRead : D=0x1 A=0x7ffe1230
 *     0, 0x401136, 0x8b, "mov (%rsp),%eax", load, 0x7ffe1230, RAM
 *
 * Source: gem5 src/cpu/exetrace.cc, QEMU contrib/plugins/execlog.c.
 */
import { type ImportedAccess, type Importer, usualBytes } from "./importer.ts";

const exec = /^\s*\d+: (?:system|board|global)[\w.]*: .*?: 0x([0-9a-f]+)\b/i;

export const gem5: Importer = {
  title: "gem5 ExecAll",
  isLine: (text) => exec.test(text) || text.startsWith("gem5 Simulator"),
  read: (text) => {
    const [, pc] = exec.exec(text) ?? [];
    // Other flags of gem5, and its own words at the start and the end.
    if (pc === undefined) return [];
    const [, address] = /\bA=0x([0-9a-f]+)/i.exec(text) ?? [];
    const isMemory = /: Mem(?:Read|Write) :/.test(text);
    if (isMemory && address === undefined) return null;
    const fetch = { kind: "fetch", address: pc, bytes: 1 } as const;
    if (address === undefined) return [fetch];
    const kind = text.includes(": MemWrite :") ? "store" : "load";
    return [fetch, { kind, address, bytes: usualBytes }];
  },
  allowed: "TICK: system.cpu: ... : 0xPC ... with A=0xADDRESS where it is MemRead or MemWrite",
};

const logged = /^\d+, 0x([0-9a-f]+), 0x[0-9a-f]+, "[^"]*"(.*)$/i;
const memory = /, (load|store), 0x([0-9a-f]+)/gi;

export const execlog: Importer = {
  title: "QEMU's execlog",
  isLine: (text) => logged.test(text),
  read: (text) => {
    if (/^\s*$/.test(text)) return [];
    const [, pc, rest = ""] = logged.exec(text) ?? [];
    if (pc === undefined) return null;
    const accesses = [...rest.matchAll(memory)].map(([, word, address = ""]): ImportedAccess => {
      return { kind: word === "store" ? "store" : "load", address, bytes: usualBytes };
    });
    return [{ kind: "fetch", address: pc, bytes: 1 }, ...accesses];
  },
  allowed: 'CPU, 0xPC, 0xOPCODE, "instruction", and load or store, 0xADDRESS',
};
