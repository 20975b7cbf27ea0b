/**
 * The machine on which the teaching dialect runs: no caches, so that every step shows.
 */
import { fastMmu } from "../../machine/fast.ts";
import { presets } from "../../machine/presets.ts";
import { refuseOtherIsa } from "./point-problem.ts";
import { engineNamed } from "./catalogue.ts";
import { runLesson } from "./run-trace.ts";

export interface Dialect {
  readonly file: string;
  readonly engine: string;
  readonly verbose: boolean;
  readonly print: (line: string) => void;
}

export async function runDialect({ file, engine, verbose, print }: Dialect): Promise<void> {
  engineNamed(engine);
  refuseOtherIsa(engine, "the dialect's guest writes entries of x86-64");
  const preset = "textbook";
  const machine = { preset: presets[preset], mmu: fastMmu, check: false };
  await runLesson(file, { engine, preset }, { ...machine, host: "warm", verbose, print });
}
