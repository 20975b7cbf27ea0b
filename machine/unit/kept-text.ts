/**
 * The unit's text, kept where Node keeps what it has compiled (`NODE_COMPILE_CACHE`), for processes and threads to come.
 *
 * Node strips types by a program of its own, which it need not even load for modules that are in that cache. So joining
 * the parts was 50 ms of each process and each worker thread. A text is known by all that it is made of, and
 * stands behind its checksum; where it cannot be kept it is made each time.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import module from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { threadId } from "node:worker_threads";

/** The kept text, or what `make` returns, made of the files of this folder and `given`. */
export function keptText(
  given: string,
  make: () => string,
  folder = module.getCompileCacheDir(),
): string {
  if (folder === undefined) return make();
  const path = join(folder, `shadewalk-unit-${sourcesSum(given)}.txt`);
  const kept = read(path);
  if (kept !== null) return kept;
  const text = make();
  write(path, text);
  return text;
}

function sourcesSum(given: string): string {
  const here = fileURLToPath(new URL(".", import.meta.url));
  const hash = createHash("sha256").update(given);
  for (const name of readdirSync(here).toSorted())
    hash.update(`\n${name}\n`).update(readFileSync(join(here, name)));
  return hash.digest("hex").slice(0, 32);
}

function checksum(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** Null where there is none, or one that is not whole. */
function read(path: string): string | null {
  let all: string;
  try {
    all = readFileSync(path, "utf8");
  } catch {
    return null;
  }
  const text = all.slice(65);
  return all.startsWith(`${checksum(text)}\n`) ? text : null;
}

/** Others may write the same at the same time: each under a name of its own first. */
function write(path: string, text: string): void {
  const partial = `${path}.${process.pid}.${threadId}`;
  try {
    writeFileSync(partial, `${checksum(text)}\n${text}`);
    renameSync(partial, path);
  } catch {
    // A full or read-only disk: the next process makes it again.
  }
}
