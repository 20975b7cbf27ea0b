/**
 * The journal of a running sweep: one JSON line per finished point, in order of finishing.
 *
 * What is finished stays readable whatever ends the run. The first line says which sweep it belongs to, so
 * that `--resume` never mixes two sweeps. Results are written from it, sorted, when the sweep ends.
 */
import {
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { EnvironmentError } from "./config-error.ts";
import { makeFolder, unwritable } from "./make-folder.ts";
import type { Finished } from "./pool.ts";

const defaultName = "journal.jsonl";

export interface Journal {
  /** Points that an earlier, interrupted run of the same sweep finished. */
  readonly earlier: readonly Finished[];
  append(finished: Finished): void;
  /** Ends the journal; `keep` leaves it for `--resume`. */
  close(outcome: "keep" | "remove"): void;
}

export interface JournalOptions {
  readonly folder: string;
  /** File name in the folder; each shard of a sweep has its own. */
  readonly name?: string | undefined;
  /** What the points are, as a hash: a journal of other points is not resumed. */
  readonly sweepHash: string;
  readonly resume: boolean;
}

/** Creates the folder if need be and opens its journal, which shows that the folder can be written. */
export function openJournal(options: JournalOptions): Journal {
  const { folder, name = defaultName, sweepHash, resume } = options;
  const path = join(folder, name);
  const header = `${JSON.stringify({ sweep: sweepHash })}\n`;
  const earlier = resume ? readJournal(path, header) : [];
  const lines = earlier.map((finished) => `${JSON.stringify(finished)}\n`);
  // Written anew on resume too: a killed run may have left half a line.
  const file = startFile(folder, path, header + lines.join(""));
  return {
    earlier,
    append(finished) {
      writeSync(file, `${JSON.stringify(finished)}\n`);
    },
    close(outcome) {
      closeSync(file);
      // Another process may have taken the journal over, believing this one dead.
      if (outcome === "remove") rmSync(path, { force: true });
    },
  };
}

/** Puts a file with `text` in place of the old one, whole or not at all, open for more. */
function startFile(folder: string, path: string, text: string): number {
  const partial = `${path}.partial`;
  try {
    makeFolder(folder);
    writeFileSync(partial, text);
    renameSync(partial, path);
    return openSync(path, "a");
  } catch (error) {
    throw unwritable(folder, error);
  }
}

function readJournal(path: string, header: string): Finished[] {
  if (!existsSync(path)) return [];
  const text = readFileSync(path, "utf8");
  if (!text.startsWith(header)) {
    throw new EnvironmentError(
      `${path}: is the journal of another sweep: remove it, or run without --resume`,
    );
  }
  const finished: Finished[] = [];
  // What follows the last newline is a line that a killed run did not finish.
  for (const line of text.slice(header.length).split("\n").slice(0, -1)) {
    const one = parseLine(line);
    // A crash of the host can leave blocks of zeros: from there on the points are run again.
    if (one === null) break;
    finished.push(one);
  }
  return finished;
}

function parseLine(line: string): Finished | null {
  try {
    return JSON.parse(line) as Finished;
  } catch {
    return null;
  }
}
