/**
 * The journal of a running sweep: one line per finished point, in order of finishing.
 *
 * What is finished stays readable whatever ends the run. The first line says which sweep it belongs to, so
 * that `--resume` never mixes two sweeps; each further one carries a checksum. Results are written from it,
 * sorted, when the sweep ends.
 */
import {
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { ConfigError, EnvironmentError, errorLine } from "../input/config-error.ts";
import { finishedLine, type LineOwner, lineReader } from "./finished-line.ts";
import { makeFolder, unwritable } from "../files/make-folder.ts";
import type { Finished } from "./pool.ts";

/** Its file in a folder that one run has to itself. */
export const journalName = "journal.jsonl";

export interface Journal {
  /** Points that an earlier, interrupted run of the same sweep finished. */
  readonly earlier: readonly Finished[];
  /** Throws an `EnvironmentError` when the disk refuses: what was appended before stays readable. */
  append(finished: Finished): void;
  /** Ends the journal; `keep` leaves it for `--resume`. */
  close(outcome: "keep" | "remove"): void;
}

export interface JournalOptions extends LineOwner {
  readonly folder: string;
  /** File name in the folder; each shard of a sweep has its own. */
  readonly name?: string | undefined;
  readonly resume: boolean;
  /** What a user does to go on from it, such as `--resume`. */
  readonly goOn: string;
}

/** Creates the folder if need be and opens its journal, which shows that the folder can be written. */
export function openJournal(options: JournalOptions): Journal {
  const { folder, name = journalName, sweep, resume, goOn } = options;
  const path = join(folder, name);
  const header = `${JSON.stringify({ sweep })}\n`;
  const earlier = resume ? readJournal(path, header, options) : [];
  const lines = earlier.map((finished) => finishedLine(finished, sweep));
  // Written anew on resume too: a killed run may have left half a line.
  const file = startFile(folder, path, header + lines.join(""));
  let kept = earlier.length;
  return {
    earlier,
    append(finished) {
      try {
        // Not `writeSync`, which on a nearly full disk writes half and says nothing.
        writeFileSync(file, finishedLine(finished, sweep));
        kept += 1;
      } catch (error) {
        throw new EnvironmentError(
          `output folder ${folder}: cannot be written: ${errorLine(error)}; ` +
            `${kept} finished points are kept in ${path}: make room, then ${goOn}`,
        );
      }
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
    rmSync(partial, { force: true });
    throw unwritable(folder, error);
  }
}

/** Throws a `ConfigError` that names the line of anything that a killed run or a crashed host does not leave. */
function readJournal(path: string, header: string, options: JournalOptions): Finished[] {
  if (!existsSync(path)) return [];
  const text = readFileSync(path, "utf8");
  const lines = text.split("\n");
  // What follows the last newline is a line that a killed run did not finish.
  lines.pop();
  const advice = `remove the file${options.name === undefined ? ", or run without --resume" : ""}`;
  const [first] = lines;
  // Nothing in it was finished; or the host crashed, which leaves blocks of zeros.
  if (first === undefined || first.includes("\0")) return [];
  if (`${first}\n` !== header) {
    const what = /^\{"sweep":"[0-9a-f]{64}"\}$/.test(first)
      ? "is the journal of another sweep"
      : "is no header of a journal";
    throw new ConfigError(`${path}:1: ${what}: ${advice}`);
  }
  const read = lineReader(options);
  const finished: Finished[] = [];
  for (const [index, line] of lines.entries()) {
    if (index === 0) continue;
    // From a block of zeros on the points are run again.
    if (line.includes("\0")) break;
    const one = read(line, index + 1);
    if (typeof one === "string") throw new ConfigError(`${path}:${index + 1}: ${one}: ${advice}`);
    finished.push(one);
  }
  return finished;
}
