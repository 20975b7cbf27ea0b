/**
 * The launcher: what ends the program's process ends in one line, an exit code and the user's signal.
 */
import { spawn } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, expect, onTestFinished, test } from "vitest";
import { beWatched } from "./watched-run.ts";

const folder = mkdtempSync(join(tmpdir(), "shadewalk-launch-"));
afterAll(() => rmSync(folder, { recursive: true }));

const launcher = join(import.meta.dirname, "launch.js");

interface Start {
  readonly node?: readonly string[];
  readonly stdout?: number | "pipe";
}

function start(args: readonly string[], { node = [], stdout = "pipe" }: Start = {}) {
  const child = spawn(process.execPath, [...node, launcher, ...args], {
    stdio: ["ignore", stdout, "pipe"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const said = { stdout: "", stderr: "" };
  child.stdout?.on("data", (text: Buffer) => (said.stdout += text.toString()));
  child.stderr?.on("data", (text: Buffer) => (said.stderr += text.toString()));
  const closed = new Promise<{ status: number | null; signal: NodeJS.Signals | null }>((resolve) =>
    child.once("close", (status, signal) => resolve({ status, signal })),
  );
  return { child, end: async () => ({ ...(await closed), ...said }) };
}

test("a process that nobody watches is none that is", () => {
  expect(beWatched()).toBe(false);
});

test("output, messages and exit codes are the program's own", async () => {
  const good = await start(["walk", "0x400000"]).end();
  expect(good).toMatchObject({ status: 0, stderr: "" });
  expect(good.stdout.trim().split("\n")).toHaveLength(25);
  const bad = await start(["walk", "0x400000", "--engine", "epx"]).end();
  expect(bad).toMatchObject({ status: 2, stdout: "" });
  expect(bad.stderr).toMatch(/^shadewalk: engine "epx": unknown\. Did you mean ept\?.*\n$/);
});

// Seen failing: 20 lines of V8's, exit code 134.
test("a full heap is one line that says what to do", async () => {
  // Too small for the program, large enough for the launcher.
  const { status, stdout, stderr } = await start(["list"], {
    node: ["--max-old-space-size=14"],
  }).end();
  expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
  expect(stderr).toMatch(
    /^shadewalk: out of memory: the heap of \d+ MB is full: give it more, as in NODE_OPTIONS=--max-old-space-size=\d+, or take fewer .*\n$/,
  );
});

const isLinux = process.platform === "linux";

// Seen failing: a stack trace of V8's `Array buffer allocation failed`.
test.skipIf(!isLinux)("memory that the system refuses is one line", async () => {
  const words = ["run", "-e", "ept", "-w", "uniform", "-p", "pages=30000000", "accesses=1"];
  const script = 'ulimit -v 4000000; exec "$0" "$@"';
  const child = spawn("bash", ["-c", script, process.execPath, launcher, ...words], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let stderr = "";
  child.stderr.on("data", (text: Buffer) => (stderr += text.toString()));
  const status = await new Promise((resolve) => child.once("close", resolve));
  expect(stderr).toMatch(/^shadewalk: out of memory: the system gives .*no more: take .*\n$/);
  expect(status).toBe(1);
});

const sweep = `title: to be stopped
engines: [native, shadow, ept]
presets: [textbook]
seeds: [${Array.from({ length: 20 }, (_, seed) => seed).join(", ")}]
workloads: [{ workload: uniform, params: [{ pages: 16, accesses: 20000 }] }]
`;
const path = join(folder, "sweep.yaml");
writeFileSync(path, sweep);

const linesOf = (file: string) => readFileSync(file, "utf8").split("\n").length - 1;

async function inMidSweep(out: string) {
  const started = start(["bench", path, "--quiet", "--workers", "1", "--out", out]);
  const journal = join(out, "journal.jsonl");
  while (started.child.exitCode === null && (!existsSync(journal) || linesOf(journal) < 3)) {
    await sleep(2);
  }
  return { ...started, journal };
}

test("a signal for the launcher is the program's, once", async () => {
  const { child, end, journal } = await inMidSweep(join(folder, "interrupted"));
  child.kill("SIGINT");
  const { status, stderr } = await end();
  expect(status).toBe(130);
  expect(stderr).toMatch(
    /^shadewalk: interrupted; \d+ of 60 points are finished, --resume runs the rest\n$/,
  );
  expect(existsSync(journal)).toBe(true);
});

test("the user's signal shows in how the launcher ends", async () => {
  const { child, end } = await inMidSweep(join(folder, "terminated"));
  child.kill("SIGTERM");
  expect(await end()).toMatchObject({ signal: "SIGTERM", stdout: "", stderr: "" });
});

// Seen failing without the channel: the program went on, and --resume found the folder taken.
test("with the launcher killed the program ends, and --resume goes on at once", async () => {
  const out = join(folder, "killed");
  const { child, end, journal } = await inMidSweep(out);
  child.kill("SIGKILL");
  await end();
  const finished = linesOf(journal) - 1;
  expect(finished).toBeLessThan(60);
  await sleep(300);
  const rest = await start(["bench", path, "--quiet", "--out", out, "--resume"]).end();
  expect(rest).toMatchObject({ status: 0, stderr: "" });
});

/** Every command that prints at once, in its smallest form. */
const printing = [
  ["--help"],
  ["bench", "--help"],
  ["list"],
  ["walk", "0x400000"],
  ["run", "-w", "uniform", "-p", "pages=8", "accesses=10"],
  ["run", "-w", "uniform", "-p", "pages=8", "accesses=10", "--json"],
  ["dirty-log", "-b", "64k"],
  [
    "share",
    "snapshot",
    "--engines",
    "ept",
    "--csv",
    "-w",
    "uniform",
    "-p",
    "pages=8",
    "accesses=500",
  ],
  ["lab"],
  ["fuzz", "--ops", "10", "--engines", "ept", "--quiet", "--out", join(folder, "fuzz.trace")],
  ["bench", path, "--quiet", "--engines", "ept", "--seeds", "1", "--out", join(folder, "full")],
];

// Seen failing: exit code 1 without a word.
test
  .skipIf(!existsSync("/dev/full"))
  .each(printing.map((words) => [words.join(" "), words] as const))(
  "%s > /dev/full says that its output cannot be written",
  async (_, words) => {
    const stdout = openSync("/dev/full", "w");
    onTestFinished(() => closeSync(stdout));
    const { status, stderr } = await start(words, { stdout }).end();
    expect(stderr).toBe(
      "shadewalk: standard output: cannot be written: ENOSPC: no space left on device, write\n",
    );
    expect(status).toBe(1);
  },
);

test("a reader that has seen enough is no error", async () => {
  const { child, end } = start(["list"]);
  child.stdout?.destroy();
  const { status, stderr } = await end();
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
});
