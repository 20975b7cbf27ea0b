import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import zlib from "node:zlib";
import { expect, onTestFinished, test } from "vitest";
import { presets } from "../../machine/presets.ts";
import { workloads } from "../../workloads/index.ts";
import { type Finished, runPoints } from "./pool.ts";
import type { PointKey } from "../results/result.ts";

/** A recording is unpacked by this function and no other. */
function countDecodes(): () => number {
  const real = zlib.zstdDecompressSync;
  let count = 0;
  zlib.zstdDecompressSync = (...args) => {
    count += 1;
    return real(...args);
  };
  syncBuiltinESMExports();
  onTestFinished(() => {
    zlib.zstdDecompressSync = real;
    syncBuiltinESMExports();
  });
  return () => count;
}

/** The ordinary worker, which also writes down every unpacking in its thread. */
function watchedWorker(folder: string): { readonly task: URL; readonly decodes: () => number } {
  const log = join(folder, "decodes");
  const file = join(folder, "worker.mjs");
  writeFileSync(log, "");
  writeFileSync(
    file,
    `import { appendFileSync } from "node:fs";
    import { syncBuiltinESMExports } from "node:module";
    import zlib from "node:zlib";
    const real = zlib.zstdDecompressSync;
    zlib.zstdDecompressSync = (...args) => (appendFileSync(${JSON.stringify(log)}, "1"), real(...args));
    syncBuiltinESMExports();
    const worker = await import(${JSON.stringify(new URL("./point-worker.ts", import.meta.url).href)});
    export const runTask = worker.runTask;`,
  );
  return { task: pathToFileURL(file), decodes: () => readFileSync(log, "utf8").length };
}

function points(name: keyof typeof workloads, count: number): PointKey[] {
  const params = { ...workloads[name].defaults, accesses: 20_000 };
  const machine = { preset: "textbook", backing: "4k", guestLevels: 4, nestedLevels: 4 } as const;
  return Array.from({ length: count }, (_, seed): PointKey => {
    return { id: seed, engine: "ept", workload: name, params, ...machine, seed };
  });
}

// Seen failing: every thread unpacks the recording itself (two threads, two more).
test("a sweep decodes a recording once, for all its points and threads", async () => {
  const folder = mkdtempSync(join(tmpdir(), "shadewalk-traces-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const decodesHere = countDecodes();
  const { task, decodes } = watchedWorker(folder);
  const finished: Finished[] = [];
  await runPoints(points("trace:sqlite3", 6), {
    machines: { textbook: { preset: presets.textbook, like: "textbook" } },
    workers: 2,
    check: false,
    signal: new AbortController().signal,
    task,
    onFinished: (one) => finished.push(one),
    onFailed: (message) => expect.unreachable(message),
  });
  expect(finished).toHaveLength(6);
  expect([decodesHere(), decodes()]).toEqual([1, 0]);
});

test("a decoded recording lies in memory that threads share", () => {
  for (const { low, high } of workloads["trace:sqlite3"].trace().chunks) {
    expect(low.buffer).toBeInstanceOf(SharedArrayBuffer);
    expect(high.buffer).toBeInstanceOf(SharedArrayBuffer);
  }
});
