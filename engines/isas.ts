/**
 * The registry of engines whose guests are not x86-64's: one line each, beside `index.ts`.
 *
 * They run the programs of the guest's own kernel, which writes the tables of whatever machine it is on. What has x86-64
 * entries in it, recordings and the fuzzer's guests, they refuse.
 */
import type { Engine } from "../hypervisor/engine.ts";
import { arm, armHafdbs, armS2, armS2Hafdbs } from "./arm.ts";
import { riscv, riscvH, riscvHSvadu, riscvSvadu } from "./riscv.ts";

export const isaEngines = {
  riscv,
  "riscv-svadu": riscvSvadu,
  "riscv-h": riscvH,
  "riscv-h-svadu": riscvHSvadu,
  arm,
  "arm-hafdbs": armHafdbs,
  "arm-s2": armS2,
  "arm-s2-hafdbs": armS2Hafdbs,
} satisfies Record<string, Engine>;
