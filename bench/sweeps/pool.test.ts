import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { presets } from "../../machine/presets.ts";
import { EnvironmentError } from "../input/config-error.ts";
import type { Finished } from "./pool.ts";
import { createLedger, type PointKey } from "../results/result.ts";
import { runSweep, type SweepRunOptions } from "./run-sweep.ts";

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "shadewalk-pool-"));
  onTestFinished(() => rmSync(path, { recursive: true }));
  return path;
}

function points(count: number): PointKey[] {
  return Array.from({ length: count }, (_, id) => ({
    id,
    engine: "ept",
    workload: "uniform",
    params: { accesses: (id * 7) % count },
    preset: "textbook",
    backing: "4k",
    guestLevels: 4,
    nestedLevels: 4,
    seed: id,
  }));
}

/** A worker's task file in which `body` decides what becomes of `key`. */
function taskFile(path: string, body: string): URL {
  const file = join(path, "task.mjs");
  const regions = JSON.stringify({
    setup: { ledger: createLedger(), walkLengths: [] },
    measured: { ledger: createLedger(), walkLengths: [] },
  });
  writeFileSync(
    file,
    `export async function runTask({ key }) {
      ${body}
      const result = { key, regions: ${regions}, checksum: key.seed, computeCyclesPerOp: 1, label: "" };
      return { kind: "finished", finished: { result, checked: 0, host: { hostMilliseconds: 1, processorMilliseconds: 1 } } };
    }`,
  );
  return pathToFileURL(file);
}

function run(path: string, body: string, options: Partial<SweepRunOptions> = {}) {
  return runSweep({
    points: points(8),
    machines: { textbook: { preset: presets.textbook, like: "textbook" } },
    out: join(path, "out"),
    workers: 2,
    check: false,
    resume: false,
    signal: new AbortController().signal,
    task: taskFile(path, body),
    onFinished: () => undefined,
    onFailed: () => undefined,
    ...options,
  });
}

const idsOf = (finished: readonly Finished[]) => finished.map(({ result }) => result.key.id);

// Seen failing: results left in the order in which they finished.
test("results come sorted by id, whatever finishes first and on however many workers", async () => {
  const slow = "await new Promise((done) => setTimeout(done, 5 * (8 - key.id)));";
  const one = await run(folder(), "", { workers: 1 });
  const two = await run(folder(), slow);
  const four = await run(folder(), slow, { points: points(8).toReversed(), workers: 4 });
  expect(idsOf(one.finished)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  expect(two.finished).toEqual(one.finished);
  expect(four.finished).toEqual(one.finished);
});

test.each([
  ["a thrown error", "if (key.id === 3) throw new Error('broken\\nhere');", "broken here"],
  ["a worker that exits", "if (key.id === 3) process.exit(9);", "exit"],
  [
    "a worker out of memory",
    "if (key.id === 3) { const all = []; for (;;) all.push(new Array(1e6).fill(all.length)); }",
    "out of memory: the heap of a worker is full: take smaller parameters, or give it more",
  ],
  [
    "a worker without memory for its arrays",
    "if (key.id === 3) throw new RangeError('Array buffer allocation failed');",
    "out of memory: the system gives no more: take smaller parameters or fewer --workers",
  ],
])("%s fails its point with a line that names it, and no other", async (_, body, reason) => {
  const lines: string[] = [];
  const { finished, failures } = await run(folder(), body, {
    heapMegabytes: 64,
    onFailed: (line) => lines.push(line),
  });
  expect(idsOf(finished)).toEqual([0, 1, 2, 4, 5, 6, 7]);
  expect(failures).toEqual(lines);
  expect(failures).toHaveLength(1);
  expect(failures[0]).toContain("point 3 (ept uniform accesses=5 on textbook, seed 3): ");
  expect(failures[0]).toContain(reason);
  expect(failures[0]).not.toContain("\n");
});

test("an interrupted sweep keeps what is finished, and --resume runs only the rest", async () => {
  const path = folder();
  const log = join(path, "log");
  const body = `(await import("node:fs")).appendFileSync(${JSON.stringify(log)}, key.id + "\\n");
    if (key.id === 4) await new Promise(() => {});`;
  const abort = new AbortController();
  let seen = 0;
  const first = await run(path, body, {
    workers: 1,
    signal: abort.signal,
    onFinished: () => {
      seen += 1;
      if (seen === 3) abort.abort();
    },
  });
  first.close();
  expect(first.finished).toHaveLength(3);
  const started = readFileSync(log, "utf8").trim().split("\n").length;

  // A kill in the middle of a write leaves half a line.
  const journal = join(path, "out", "journal.jsonl");
  writeFileSync(journal, `${readFileSync(journal, "utf8")}{"result":{"ke`);
  const second = await run(path, "", { resume: true });
  second.close();
  expect(idsOf(second.finished)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  const whole = await run(folder(), "");
  expect(second.finished).toEqual(whole.finished);
  expect(started).toBeLessThan(8);
});

test("a journal of other points is not resumed", async () => {
  const path = folder();
  const abort = new AbortController();
  const stopped = await run(path, "", { signal: abort.signal, onFinished: () => abort.abort() });
  stopped.close();
  await expect(run(path, "", { resume: true, points: points(9) })).rejects.toThrow(
    /journal\.jsonl:1: is the journal of another sweep/,
  );
});

test("an output folder that cannot be written stops the sweep before its first point", async () => {
  const path = folder();
  writeFileSync(join(path, "file"), "");
  const starts: number[] = [];
  const attempt = run(path, "", {
    out: join(path, "file", "out"),
    onFinished: ({ result }) => starts.push(result.key.id),
  });
  await expect(attempt).rejects.toThrow(EnvironmentError);
  await expect(attempt).rejects.toThrow(/^output folder .*file\/out: cannot be written: /);
  expect(starts).toEqual([]);
});
