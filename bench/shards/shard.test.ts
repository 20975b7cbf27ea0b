import {
  appendFileSync,
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import { presets } from "../../machine/presets.ts";
import { ConfigError, EnvironmentError } from "../input/config-error.ts";
import { mergeShards } from "./merge.ts";
import type { Finished } from "../sweeps/pool.ts";
import { createLedger, type PointKey } from "../results/result.ts";
import { sweepHash, type SweepIdentity } from "../sweeps/run-sweep.ts";
import { missingShards, shardFolder, shardPath, writeShard } from "./shard-file.ts";
import { runShard, shardPoints, type ShardOptions } from "./shard.ts";

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "shadewalk-shard-"));
  onTestFinished(() => rmSync(path, { recursive: true }));
  return path;
}

const machines = { textbook: { preset: presets.textbook, like: "textbook" } };

function sweepOf(count: number): SweepIdentity & { readonly points: readonly PointKey[] } {
  const points = Array.from({ length: count }, (_, id): PointKey => ({
    id,
    engine: "ept",
    workload: "uniform",
    params: { accesses: 10 },
    preset: "textbook",
    backing: "4k",
    guestLevels: 4,
    nestedLevels: 4,
    seed: id * 7,
  }));
  return { points, machines, check: false };
}

function finishedOf(key: PointKey): Finished {
  const region = { ledger: createLedger(), walkLengths: [0, key.id] };
  return {
    result: {
      key,
      regions: { setup: region, measured: region },
      computeCyclesPerOp: 1,
      checksum: key.seed,
      label: "",
    },
    checked: 0,
    host: { hostMilliseconds: 1, processorMilliseconds: 1 },
  };
}

function write(out: string, sweep: SweepIdentity, index: number, of: number): string {
  const path = shardPath(out, index, of);
  const points = shardPoints({ points: sweep.points, index, of });
  writeShard(path, { sweep: sweepHash(sweep), index, of }, points.map(finishedOf));
  return path;
}

/** Three shards of a sweep of ten points. */
function threeShards() {
  const out = folder();
  const sweep = sweepOf(10);
  const paths = [0, 1, 2].map((index) => write(out, sweep, index, 3));
  return { out, sweep, paths };
}

// Seen failing: `mergeShards` without its sort; `shardPoints` with `(id + 1) % of`.
test("any number of shards, written in any order, merge to the points of a single run", () => {
  const cases = fc.tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 50 }));
  fc.assert(
    fc.property(
      cases.chain(([count, of]) =>
        fc.record({
          count: fc.constant(count),
          order: fc.shuffledSubarray(
            Array.from({ length: of }, (_, index) => index),
            { minLength: of },
          ),
        }),
      ),
      ({ count, order }) => {
        const out = mkdtempSync(join(tmpdir(), "shadewalk-shard-"));
        try {
          const sweep = sweepOf(count);
          for (const index of order) write(out, sweep, index, order.length);
          const { finished, shards } = mergeShards(out, sweep);
          expect(finished).toEqual(sweep.points.map(finishedOf));
          expect(shards).toBe(order.length);
          expect(missingShards(out, order.length)).toEqual([]);
        } finally {
          rmSync(out, { recursive: true });
        }
      },
    ),
    { numRuns: 25 },
  );
});

type ThreeShards = ReturnType<typeof threeShards>;

/** Replaces the first line that has `from` in it. */
function edit(path: string, from: string | RegExp, to: string): void {
  const text = readFileSync(path, "utf8");
  const changed = text.replace(from, to);
  expect(changed).not.toBe(text);
  writeFileSync(path, changed);
}

const advice = "remove the file, and its shard runs again$";

// Each line: what is wrong, how it comes about, what the one line says.
const mistakes: [string, (files: ThreeShards) => unknown, string][] = [
  [
    "a shard of another division",
    ({ out, sweep }) => write(out, sweep, 1, 2),
    "^point 3 is in .*0000-of-0003.jsonl and in .*0001-of-0002.jsonl: remove one$",
  ],
  [
    "a copy under another name",
    ({ out, paths }) => copyFileSync(paths[0] ?? "", join(shardFolder(out), "shard-a-of-b.jsonl")),
    "^point 0 is in .* and in .*: remove one$",
  ],
  [
    "a shard of another sweep",
    ({ out }) => write(out, sweepOf(11), 0, 3),
    `0000-of-0003.jsonl:1: is a shard of another sweep, or was made with other options: ${advice}`,
  ],
  [
    "a shard made with the oracle",
    ({ out, sweep }) => write(out, { ...sweep, check: true }, 0, 3),
    "0000-of-0003.jsonl:1: is a shard of another sweep",
  ],
  [
    "a point of another shard",
    ({ sweep, paths: [path = ""] }) => {
      const point = sweep.points.slice(1, 2).map(finishedOf);
      writeShard(path, { sweep: sweepHash(sweep), index: 0, of: 3 }, point);
    },
    `0000-of-0003.jsonl:2: holds point 1, which does not belong there: ${advice}`,
  ],
  [
    "half a file",
    ({ paths: [path = ""] }) => writeFileSync(path, readFileSync(path, "utf8").slice(0, -300)),
    `0000-of-0003.jsonl:4: ends after 3 points of 4: ${advice}`,
  ],
  [
    "a file without its last line",
    ({ paths: [path = ""] }) => edit(path, /[^\n]*\n$/, ""),
    `0000-of-0003.jsonl:4: ends after 3 points of 4: ${advice}`,
  ],
  // Seen merging, with the count in the tables.
  [
    "a changed count",
    ({ paths: [path = ""] }) => edit(path, '"accesses":0', '"accesses":7'),
    `0000-of-0003.jsonl:2: was changed: its checksum does not match: ${advice}`,
  ],
  [
    "a line twice",
    ({ paths: [path = ""] }) => edit(path, /(\n[^\n]*)\n$/, "$1$1\n"),
    `0000-of-0003.jsonl:6: holds point 9 again, after line 5: ${advice}`,
  ],
  // Seen printing a stack trace.
  [
    "a line of something else",
    ({ paths: [path = ""] }) => edit(path, /\n[^\n]*/, "\n{}"),
    `0000-of-0003.jsonl:2: is no finished point: ${advice}`,
  ],
  [
    "a file of something else",
    ({ paths: [path = ""] }) => writeFileSync(path, '{"a":1}\n'),
    `0000-of-0003.jsonl:1: is no header of a shard: ${advice}`,
  ],
  [
    "an empty file",
    ({ paths: [path = ""] }) => writeFileSync(path, ""),
    `0000-of-0003.jsonl:1: is no header of a shard: ${advice}`,
  ],
  [
    "a header that counts wrong",
    ({ paths: [path = ""] }) => edit(path, '"points":4', '"points":5'),
    `0000-of-0003.jsonl:1: says points: 5: ${advice}`,
  ],
];

test.each(mistakes)("%s stops the merge with one line", (_, spoil, line) => {
  const files = threeShards();
  spoil(files);
  const merge = () => mergeShards(files.out, files.sweep);
  expect(merge).toThrow(ConfigError);
  expect(merge).toThrow(new RegExp(line));
});

test.each<[string, (paths: string[]) => unknown, RegExp]>([
  ["no shards", (paths) => paths.map((path) => rmSync(path)), /shards: holds no shards$/],
  [
    "a missing shard",
    ([, path = ""]) => rmSync(path),
    /^3 of 10 points are missing: 1, 4, 7 \(shards 1 of 3\)$/,
  ],
])("%s stops the merge with one line", (_, spoil, line) => {
  const { out, sweep, paths } = threeShards();
  spoil(paths);
  const merge = () => mergeShards(out, sweep);
  expect(merge).toThrow(EnvironmentError);
  expect(merge).toThrow(line);
});

test("leftovers of killed writers are no shards", () => {
  const { out, sweep, paths } = threeShards();
  for (const name of [".shard-0000-of-0003.jsonl.host-1.partial", ".shard-0000-of-0003.journal"]) {
    copyFileSync(paths[0] ?? "", join(shardFolder(out), name));
  }
  expect(mergeShards(out, sweep).finished).toHaveLength(10);
});

function shardRun(path: string, body: string, options: Partial<ShardOptions> = {}) {
  const file = join(path, "task.mjs");
  const example = JSON.stringify(finishedOf(sweepOf(1).points[0] as PointKey));
  const ready = `const finished = ${example}; finished.result.key = key;
    finished.result.checksum = key.seed; finished.result.regions.setup.walkLengths[1] = key.id;
    finished.result.regions.measured.walkLengths[1] = key.id;
    return { kind: "finished", finished };`;
  writeFileSync(file, `export async function runTask({ key }) { ${body}\n${ready} }`);
  return runShard({
    ...sweepOf(10),
    out: join(path, "out"),
    index: 1,
    of: 3,
    workers: 1,
    signal: new AbortController().signal,
    task: pathToFileURL(file),
    onFinished: () => undefined,
    onFailed: () => undefined,
    ...options,
  });
}

test("a finished shard is skipped, and one of another sweep is not overwritten", async () => {
  const path = folder();
  const first = await shardRun(path, "");
  expect(first).toMatchObject({ isOld: false, finished: 3, failures: [] });
  const text = readFileSync(first.path, "utf8");
  const again = await shardRun(path, "throw new Error('runs again');");
  expect(again).toMatchObject({ isOld: true, finished: 3 });
  await expect(shardRun(path, "", { points: sweepOf(11).points })).rejects.toThrow(
    /:1: is a shard of another sweep, or was made with other options: remove the file/,
  );
  expect(readFileSync(first.path, "utf8")).toBe(text);
});

test("a failed point leaves no shard but a journal, from which the next attempt goes on", async () => {
  const path = folder();
  const log = join(path, "log");
  const count = `(await import("node:fs")).appendFileSync(${JSON.stringify(log)}, key.id + " ");`;
  const failed = await shardRun(path, `${count} if (key.id === 4) throw new Error("no");`);
  expect(failed.failures).toHaveLength(1);
  expect(missingShards(join(path, "out"), 3)).toEqual([0, 1, 2]);
  // A machine that crashed may leave zeros, and then half a line.
  const journal = join(shardFolder(join(path, "out")), ".shard-0001-of-0003.journal");
  appendFileSync(journal, '\0\0\0\n{"result":{"ke');
  const second = await shardRun(path, count);
  expect(second).toMatchObject({ isOld: false, finished: 3, failures: [] });
  // The first attempt runs all three, one of each program before the others; the second only the one that failed.
  expect(readFileSync(log, "utf8")).toBe("4 1 7 4 ");
  expect(readdirSync(shardFolder(join(path, "out")))).toEqual(["shard-0001-of-0003.jsonl"]);
  const whole = await shardRun(folder(), "");
  expect(readFileSync(second.path, "utf8")).toBe(readFileSync(whole.path, "utf8"));
});
