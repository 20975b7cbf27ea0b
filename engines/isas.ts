/**
 * The registry of engines whose guests are not x86-64's: one line each, beside `index.ts`.
 *
 * They run the programs of the guest's own kernel, which writes the tables of whatever machine it is on. What has x86-64
 * entries in it, recordings and the fuzzer's guests, they refuse.
 */
import type { Engine } from "../hypervisor/engine.ts";
import { riscv, riscvH, riscvHSvadu, riscvSvadu } from "./riscv.ts";

export const isaEngines = {
  riscv,
  "riscv-svadu": riscvSvadu,
  "riscv-h": riscvH,
  "riscv-h-svadu": riscvHSvadu,
} satisfies Record<string, Engine>;
