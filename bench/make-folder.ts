/**
 * A folder and what is missing above it, one by one.
 *
 * Not `mkdir` with `recursive`: where a file system refuses a name for good (below /proc, say), Node tries for ever.
 */
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { EnvironmentError, errorLine } from "./config-error.ts";

/** Throws what the operating system says. */
export function makeFolder(path: string): void {
  const folder = resolve(path);
  if (existsSync(folder)) return;
  makeFolder(dirname(folder));
  try {
    mkdirSync(folder);
  } catch (error) {
    // Another process may have been faster.
    if (!existsSync(folder)) throw error;
  }
}

/** Makes the folder of a long run's output, and finds out before the run whether it can be written. */
export function prepareOutput(folder: string): void {
  const probe = join(folder, ".probe.partial");
  try {
    makeFolder(folder);
    writeFileSync(probe, "");
    rmSync(probe);
  } catch (error) {
    throw unwritable(folder, error);
  }
}

/** What to say of an output folder that the operating system refuses. */
export function unwritable(folder: string, error: unknown): EnvironmentError {
  return new EnvironmentError(`output folder ${folder}: cannot be written: ${errorLine(error)}`);
}
