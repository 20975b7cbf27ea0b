/**
 * Finds and reads sweep files: those shipped in `bench/sweeps/` go by their name, others by their path.
 */
import { existsSync, readdirSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { ConfigError, quote, unknownText } from "../input/config-error.ts";
import { parseSweep, type Sweep, type SweepOptions } from "./sweep.ts";
import type { Catalogue } from "../points/sweep-schema.ts";
import { readTextFile } from "../input/text-file.ts";

const folder = import.meta.dirname;
const extension = ".yaml";

/** Names of the shipped sweeps. */
export function sweepNames(): string[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith(extension))
    .map((file) => basename(file, extension))
    .toSorted();
}

export interface SweepFile {
  /** The shipped sweep's name, or the path as given. */
  readonly name: string;
  readonly path: string;
  readonly sweep: Sweep;
}

/** Reads the sweep called `nameOrPath`. Throws a `ConfigError` when there is none or it is wrong. */
export function readSweep(
  nameOrPath: string,
  catalogue: Catalogue,
  options: SweepOptions = {},
): SweepFile {
  const known = sweepNames();
  const isName = known.includes(nameOrPath);
  if (!isName && !existsSync(nameOrPath)) {
    const allowed = `${unknownText(nameOrPath, known)}, or the path of a ${extension} file`;
    throw new ConfigError(`sweep ${quote(nameOrPath)}: ${allowed}`);
  }
  const path = isName ? join(folder, nameOrPath + extension) : nameOrPath;
  const text = readTextFile("sweep", path);
  const shown = isName ? relative(process.cwd(), path) : path;
  return { name: nameOrPath, path, sweep: parseSweep(text, shown, catalogue, options) };
}
