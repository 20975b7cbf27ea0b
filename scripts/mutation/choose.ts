/** Which files, and which of their mutants, a run is about. */
import { execFileSync } from "node:child_process";
import { globSync } from "node:fs";
import { matchesGlob } from "node:path";
import { ConfigError } from "../../bench/input/config-error.ts";
import { findMutants, type Mutant } from "./mutants.ts";
import { helpers, rooms } from "./rooms.ts";
import { sample } from "./sample.ts";

export interface Choice {
  readonly count: number;
  readonly seed: string;
  /** All mutants of these files, by name or glob. */
  readonly files: readonly string[];
  /** All mutants on lines that changed since this commit. */
  readonly since: string | undefined;
}

export async function chooseMutants({ count, seed, files, since }: Choice): Promise<Mutant[]> {
  const inRooms = filesOfRooms();
  if (files.length > 0) {
    const wanted = files.map((glob) => filesOf(glob, inRooms));
    return findMutants([...new Set(wanted.flat())]);
  }
  if (since !== undefined) return changedMutants(since, inRooms);
  return sample(await findMutants(inRooms), count, seed);
}

/** Those of these ids that are still there: a changed line has other mutants. */
export async function findAgain(ids: ReadonlySet<string>): Promise<Mutant[]> {
  const all = await findMutants(filesOfRooms());
  return all.filter(({ id }) => ids.has(id));
}

/** Every file that mutants may be planted in. */
export function filesOfRooms(): string[] {
  const all = rooms.flatMap(({ files }) => globSync([...files]));
  const names = all.map((name) => name.replaceAll("\\", "/"));
  return names.filter((name) => !helpers.some((glob) => matchesGlob(name, glob))).toSorted();
}

function filesOf(glob: string, inRooms: readonly string[]): string[] {
  const found = inRooms.filter((name) => matchesGlob(name, glob));
  if (found.length === 0) {
    const places = rooms.flatMap((room) => room.files).join(", ");
    throw new ConfigError(`--file ${JSON.stringify(glob)}: no such file in ${places}`);
  }
  return found;
}

async function changedMutants(since: string, inRooms: readonly string[]): Promise<Mutant[]> {
  const lines = changedLines(gitDiff(since));
  const changed = inRooms.filter((name) => lines.has(name));
  const mutants = await findMutants(changed);
  return mutants.filter(({ file, at }) =>
    lines.get(file)?.some(({ from, to }) => at.start.line <= to && at.end.line >= from),
  );
}

function gitDiff(since: string): string {
  try {
    return execFileSync("git", ["diff", "--unified=0", "--no-color", since, "--"], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
      maxBuffer: 2 ** 28,
    });
  } catch {
    throw new ConfigError(`--since ${JSON.stringify(since)}: git knows no such commit`);
  }
}

interface Lines {
  readonly from: number;
  readonly to: number;
}

/** The new lines of each file in a unified diff without context. */
export function changedLines(diff: string): Map<string, Lines[]> {
  const changed = new Map<string, Lines[]>();
  let current: Lines[] = [];
  for (const line of diff.split("\n")) {
    const file = /^\+\+\+ b\/(.*)$/.exec(line)?.[1];
    if (file !== undefined) {
      current = [];
      changed.set(file, current);
    }
    const hunk = /^@@ -\S+ \+(\d+)(?:,(\d+))? @@/.exec(line);
    if (hunk === null) continue;
    const from = Number(hunk[1]);
    const count = Number(hunk[2] ?? 1);
    if (count > 0) current.push({ from, to: from + count - 1 });
  }
  return changed;
}
