/**
 * Reads a text file that a person named. One that cannot be read, or is no text, is the person's mistake: one line.
 */
import { readFileSync } from "node:fs";
import { quote } from "../../workloads/trace/quote.ts";
import { refusalText } from "../../workloads/trace/refusal.ts";
import { ConfigError } from "./config-error.ts";

/** The file's text. `what` says who asked: an option's name, or `sweep`. */
export function readTextFile(what: string, path: string): string {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw unreadable(what, path, error);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new ConfigError(`${what} ${quote(path)}: is no text in UTF-8`);
  }
}

/** What to say of a file to be read that the operating system refuses; other errors stay what they are. */
export function unreadable(what: string, path: string, error: unknown): unknown {
  const refusal = refusalText(error);
  return refusal === null ? error : new ConfigError(`${what} ${quote(path)}: ${refusal}`);
}
