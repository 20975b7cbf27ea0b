/**
 * A folder and what is missing above it, one by one.
 *
 * Not `mkdir` with `recursive`: where a file system refuses a name for good (below /proc, say), Node tries for ever.
 */
import { accessSync, constants, existsSync, mkdirSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { EnvironmentError, errorLine } from "../input/config-error.ts";

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

/** Makes the folder where a file will be written much later; throws at once where it cannot be. */
export function folderFor(file: string): void {
  const folder = dirname(file);
  try {
    makeFolder(folder);
    if (!statSync(folder).isDirectory()) throw new Error("is no folder");
    accessSync(folder, constants.W_OK);
  } catch (error) {
    throw unwritable(folder, error);
  }
}

/**
 * Runs `work`, which writes into the folder. What the operating system refuses, such as more bytes on a full disk,
 * is told with the folder's name, which the system leaves out, and with what the user can do.
 */
export async function writingInto<T>(
  folder: string,
  advice: string,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Error && "syscall" in error)) throw error;
    throw new EnvironmentError(`${unwritable(folder, error).message}; ${advice}`);
  }
}

/** What to say of an output folder that the operating system refuses. */
export function unwritable(folder: string, error: unknown): EnvironmentError {
  return new EnvironmentError(`output folder ${folder}: cannot be written: ${errorLine(error)}`);
}
