/** The registry of importers: a new one is its file and a line here. The first that knows a line reads the trace. */
import { din } from "./din.ts";
import { drmemtrace, memtrace } from "./dynamorio.ts";
import { execlog, gem5 } from "./emulators.ts";
import type { Importer } from "./importer.ts";
import { perfScript } from "./perf-script.ts";
import { pinatrace } from "./pinatrace.ts";
import { plainLines } from "./plain-lines.ts";

export const importers: readonly Importer[] = [
  pinatrace,
  drmemtrace,
  memtrace,
  gem5,
  execlog,
  perfScript,
  din,
  plainLines,
];
