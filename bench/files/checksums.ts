/**
 * `checksums.sha256`: what the tables of a folder were when they were written, in the form of `sha256sum --check`.
 *
 * A count that somebody has changed makes a table like any other, so `price` and `report` compare before they
 * believe. Without the file, as in a table that was mailed alone, only the table's own form can be checked.
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { ConfigError } from "../input/config-error.ts";

export const checksumsName = "checksums.sha256";

/** SHA-256 by file name. Throws a `ConfigError` that names the line that is none. */
export function readChecksums(folder: string): Map<string, string> {
  const path = join(folder, checksumsName);
  if (!existsSync(path)) return new Map();
  const lines = readFileSync(path, "utf8").split("\n");
  // What follows the last newline; of a cut file it is a line too.
  if (lines.at(-1) === "") lines.pop();
  return new Map(
    lines.map((line, index) => {
      const [, hash, name] = /^([0-9a-f]{64}) {2}([^/]+)$/.exec(line) ?? [];
      if (hash !== undefined && name !== undefined) return [name, hash];
      throw new ConfigError(`${path}:${index + 1}: is no checksum and file name: remove the file`);
    }),
  );
}

/** In the order of names, so that the same files give the same bytes. */
export function checksumsText(sums: ReadonlyMap<string, string>): string {
  const names = [...sums.keys()].toSorted();
  return names.map((name) => `${sums.get(name)}  ${name}\n`).join("");
}

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Throws a `ConfigError` if its folder's checksums name the file and it is another than it was. */
export function assertUnchanged(path: string): void {
  const folder = dirname(path);
  const written = readChecksums(folder).get(basename(path));
  if (written === undefined || written === sha256(readFileSync(path))) return;
  const sums = join(folder, checksumsName);
  throw new ConfigError(
    `${path}: was changed since it was written: its SHA-256 is not that of ${sums}: ` +
      `make it anew, or remove ${sums} to read it as it is`,
  );
}
