/**
 * Hands a sweep's shards to whoever schedules them: Slurm, GNU parallel, or a plain loop.
 *
 * No scheduler of our own. A launcher starts `shard` once per index in a shared folder and `merge` after
 * all of them; what is finished is read from the shard files, never from the scheduler. So a second
 * submission starts only what is missing, and the three launchers leave the same bytes.
 */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { EnvironmentError, errorLine } from "../input/config-error.ts";
import { makeFolder, unwritable } from "../files/make-folder.ts";

export interface Submission {
  /** Absolute folder for results, on every machine the same. */
  readonly out: string;
  /** Where commands run: paths in them may be relative to it. */
  readonly cwd: string;
  /** Shards in all, not in this submission. */
  readonly shards: number;
  /** Those that have no file yet. */
  readonly missing: readonly number[];
  /** Node and this program. */
  readonly program: readonly string[];
  /** Words of `shard` without its index, and of `merge`. */
  readonly shardWords: readonly string[];
  readonly mergeWords: readonly string[];
  /** Threads of one task; absent: as the launcher sees fit. */
  readonly workers: number | undefined;
  /** GNU parallel's list of hosts. */
  readonly hosts: string | undefined;
  /** Return when everything is done, where the launcher would return at once. */
  readonly wait: boolean;
  /** Called with a line about what has been started. */
  readonly onStep: (line: string) => void;
}

/** Returns the line that tells what was done. Throws an `EnvironmentError` when something failed. */
export type Launcher = (submission: Submission) => string;

/** What a user can do after any failure. */
export const againText = "what is finished stays, submit again for the rest";

/** Runs a command in sight of the user. */
export function runShown(command: readonly string[], cwd: string): void {
  start(command, cwd, "inherit");
}

/** Runs a command for what it prints. */
export function runRead(command: readonly string[], cwd: string): string {
  return start(command, cwd, "pipe");
}

function start(command: readonly string[], cwd: string, stdout: "inherit" | "pipe"): string {
  const [file = "", ...args] = command;
  const stdio = ["inherit", stdout, "inherit"] as const;
  const done = spawnSync(file, args, { cwd, stdio: [...stdio], encoding: "utf8" });
  if (done.error !== undefined) {
    throw new EnvironmentError(`${file}: cannot be started: ${errorLine(done.error)}`);
  }
  if (done.status === 0) return done.stdout ?? "";
  const how = done.status === null ? `signal ${done.signal}` : `exit code ${done.status}`;
  throw new EnvironmentError(`${file}: ${how}; ${againText}`);
}

/** Folder of scripts and logs. */
export function submitFolder(out: string): string {
  const folder = join(out, "submit");
  makeFolder(folder);
  return folder;
}

/** Writes a bash script below `out` and returns its path. */
export function writeScript({ out, cwd }: Submission, name: string, lines: readonly string[]) {
  const path = join(submitFolder(out), name);
  const text = ["#!/bin/bash", `cd ${shellQuote(cwd)} || exit 1`, ...lines, ""].join("\n");
  try {
    writeFileSync(path, text, { mode: 0o755 });
  } catch (error) {
    throw unwritable(out, error);
  }
  return path;
}

/** The shell's text for one shard, whose index the shell puts in for `index`. */
export function shardText({ program, shardWords }: Submission, index: string): string {
  return `${[...program, ...shardWords].map(shellQuote).join(" ")} --index "${index}"`;
}

export function mergeCommand({ program, mergeWords }: Submission): string[] {
  return [...program, ...mergeWords];
}

/** A word that bash takes as it is. */
export function shellQuote(word: string): string {
  return /^[\w./:=,@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

/** One shard after the other on this machine. */
export const submitLocal: Launcher = (submission) => {
  const { program, shardWords, missing, cwd, out } = submission;
  for (const index of missing) {
    runShown([...program, ...shardWords, "--index", String(index)], cwd);
  }
  runShown(mergeCommand(submission), cwd);
  return `${missing.length} shards computed and merged in ${out}/`;
};
