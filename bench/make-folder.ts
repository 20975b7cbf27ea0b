/**
 * A folder and what is missing above it, one by one.
 *
 * Not `mkdir` with `recursive`: where a file system refuses a name for good (below /proc, say), Node tries for ever.
 */
import { existsSync, mkdirSync } from "node:fs";
import { dirname, resolve } from "node:path";

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
