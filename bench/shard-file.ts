/**
 * A shard file: the results of every n-th point of a sweep, from whichever machine computed them.
 *
 * The first line says which part of which sweep it is, then one line per point in order of ids. It comes
 * into being whole or not at all (temporary name, sync, rename), so a file that is there is finished, also
 * on a network file system that several machines write to.
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  globSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";
import { z } from "zod";
import { EnvironmentError, errorLine } from "./config-error.ts";
import { makeFolder } from "./make-folder.ts";
import type { Finished } from "./pool.ts";

const headerSchema = z.strictObject({
  /** The sweep's points, machines and schema, as a hash. */
  sweep: z.string(),
  index: z.int().min(0),
  of: z.int().min(1),
  /** Lines that follow. */
  points: z.int().min(0),
});

export type ShardHeader = Readonly<z.infer<typeof headerSchema>>;

export interface Shard {
  readonly path: string;
  readonly header: ShardHeader;
  readonly finished: readonly Finished[];
}

/** Where the shards of a results folder lie. */
export const shardFolder = (out: string): string => join(out, "shards");

/** `shard-0003-of-0016`: the width keeps a listing in order. */
export function shardName(index: number, of: number): string {
  const digits = (value: number) => String(value).padStart(4, "0");
  return `shard-${digits(index)}-of-${digits(of)}`;
}

export function shardPath(out: string, index: number, of: number): string {
  return join(shardFolder(out), `${shardName(index, of)}.jsonl`);
}

/** Shards of n that have no file yet. */
export function missingShards(out: string, of: number): number[] {
  const all = Array.from({ length: of }, (_, index) => index);
  return all.filter((index) => !existsSync(shardPath(out, index, of)));
}

/** Every finished shard of a results folder, by name. */
export function shardFiles(out: string): string[] {
  // Journals of unfinished shards end otherwise.
  const names = globSync("shard-*-of-*.jsonl", { cwd: shardFolder(out) });
  return names.toSorted().map((name) => join(shardFolder(out), name));
}

export function writeShard(
  path: string,
  header: Omit<ShardHeader, "points">,
  finished: readonly Finished[],
): void {
  const lines = [{ ...header, points: finished.length }, ...finished];
  // Two machines may compute one shard when one of them was taken for dead: neither sees the other's half.
  const partial = join(dirname(path), `.${basename(path)}.${hostname()}-${process.pid}.partial`);
  try {
    makeFolder(dirname(path));
    const file = openSync(partial, "w");
    writeFileSync(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
    fsyncSync(file);
    closeSync(file);
    renameSync(partial, path);
  } catch (error) {
    throw new EnvironmentError(`${path}: cannot be written: ${errorLine(error)}`);
  }
}

/** Throws an `EnvironmentError` if it is damaged. */
export function readShard(path: string): Shard {
  const [first = "", ...rest] = readFileSync(path, "utf8").split("\n");
  const header = headerSchema.safeParse(parseJson(path, first));
  if (!header.success) throw new EnvironmentError(`${path}:1: is no header of a shard`);
  const { points } = header.data;
  // A whole file ends in a newline, so the last of `rest` is empty.
  if (rest.length !== points + 1 || rest.at(-1) !== "") {
    throw new EnvironmentError(`${path}: is damaged: ${points} points expected, remove it`);
  }
  const finished = rest.slice(0, -1).map((line) => parseJson(path, line) as Finished);
  return { path, header: header.data, finished };
}

function parseJson(path: string, line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw new EnvironmentError(`${path}: is damaged: a line is no JSON, remove it`);
  }
}
