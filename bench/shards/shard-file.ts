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
  rmSync,
  writeFileSync,
} from "node:fs";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";
import { z } from "zod";
import { ConfigError, EnvironmentError, errorLine } from "../input/config-error.ts";
import { finishedLine, lineReader } from "../sweeps/finished-line.ts";
import { makeFolder } from "../files/make-folder.ts";
import type { Finished } from "../sweeps/pool.ts";
import type { PointKey } from "../results/result.ts";

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
  const first = `${JSON.stringify({ ...header, points: finished.length })}\n`;
  const lines = finished.map((one) => finishedLine(one, header.sweep));
  // Two machines may compute one shard when one of them was taken for dead: neither sees the other's half.
  const partial = join(dirname(path), `.${basename(path)}.${hostname()}-${process.pid}.partial`);
  try {
    makeFolder(dirname(path));
    const file = openSync(partial, "w");
    writeFileSync(file, first + lines.join(""));
    fsyncSync(file);
    closeSync(file);
    renameSync(partial, path);
  } catch (error) {
    rmSync(partial, { force: true });
    throw new EnvironmentError(`${path}: cannot be written: ${errorLine(error)}`);
  }
}

const advice = "remove the file, and its shard runs again";

/**
 * Reads a shard of the sweep `sweep`, whose points are `points`. Throws a `ConfigError` that names the line if it
 * is damaged, edited or of another sweep.
 */
export function readShard(path: string, sweep: string, points: readonly PointKey[]): Shard {
  const lines = readFileSync(path, "utf8").split("\n");
  const complain = (line: number, problem: string) =>
    new ConfigError(`${path}:${line}: ${problem}: ${advice}`);
  const parsed = headerSchema.safeParse(parseJson(lines[0] ?? ""));
  if (!parsed.success) throw complain(1, "is no header of a shard");
  const header = parsed.data;
  const { index, of } = header;
  if (header.sweep !== sweep) {
    throw complain(1, "is a shard of another sweep, or was made with other options");
  }
  // A whole file ends in a newline, and nothing follows it.
  const isCut = lines.pop() !== "";
  const mine = points.filter(({ id }) => id % of === index);
  const read = lineReader({ sweep, points: mine });
  const finished = lines.slice(1).map((text, place) => {
    const one = read(text, place + 2);
    if (typeof one === "string") throw complain(place + 2, one);
    return one;
  });
  if (isCut || finished.length !== mine.length) {
    throw complain(lines.length, `ends after ${finished.length} points of ${mine.length}`);
  }
  if (header.points !== mine.length) throw complain(1, `says points: ${header.points}`);
  return { path, header, finished };
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
