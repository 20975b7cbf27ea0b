/**
 * A sweep whose disk is full says so in a line, keeps what is finished, and goes on when there is room.
 *
 * On a small memory file system of its own, where the system lets us mount one.
 */
import { spawnSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, onTestFinished, test } from "vitest";
import { runCommand } from "./run-command.ts";

const sweep = `title: on a small disk
engines: [native, shadow, ept]
presets: [textbook]
seeds: [${Array.from({ length: 20 }, (_, seed) => seed).join(", ")}]
workloads: [{ workload: uniform, params: [{ pages: 16, accesses: 100 }] }]
`;
const files = ["points.csv", "walks.csv", "manifest.json", "charts/slowdown.vl.json"];

const root = mkdtempSync(join(tmpdir(), "shadewalk-disk-"));
afterAll(() => rmSync(root, { recursive: true }));
const path = join(root, "sweep.yaml");
writeFileSync(path, sweep);
const args = ["bench", path, "--quiet", "--workers", "1", "--out"];

const mount = (...words: string[]) => spawnSync("mount", words, { encoding: "utf8" }).status === 0;
const umount = (disk: string) => spawnSync("umount", [disk]).status === 0;

function canMount(): boolean {
  const disk = join(root, "probe");
  mkdirSync(disk);
  return mount("-t", "tmpfs", "-o", "size=64k", "none", disk) && umount(disk);
}

const isAble = canMount();

function diskOf(bytes: number): string {
  const disk = mkdtempSync(join(root, "disk-"));
  expect(mount("-t", "tmpfs", "-o", `size=${bytes}`, "none", disk)).toBe(true);
  onTestFinished(() => void umount(disk));
  return disk;
}

async function wholeResult(): Promise<string> {
  const whole = join(root, "whole");
  const { status } = await runCommand([...args, whole]);
  expect(status).toBe(0);
  return whole;
}

/** Bytes of a journal of the sweep's 60 points, more or less: both test sizes leave room for that. */
const journalBytes = 260_000;

// Seen failing: `ENOSPC: no space left on device, write`, without the folder and what to do.
test.skipIf(!isAble).each([
  ["while points are computed", journalBytes / 3],
  ["while tables and charts are written", journalBytes * 1.6],
])("a disk that is full %s", async (_, bytes) => {
  const disk = diskOf(Math.round(bytes));
  const out = join(disk, "out");
  const { status, stdout, stderr } = await runCommand([...args, out]);
  expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
  const journal = join(out, "journal.jsonl");
  const pattern =
    /^shadewalk: output folder (\S+): cannot be written: ENOSPC: .*; (\d+) finished points are kept in (\S+): make room, then go on with --resume\n$/;
  expect(stderr).toMatch(pattern);
  const [, folder, kept, file] = pattern.exec(stderr) ?? [];
  expect({ folder, file }).toEqual({ folder: out, file: journal });
  // A header, and perhaps the half of a line that fitted.
  const lines = readFileSync(journal, "utf8").split("\n").length - 2;
  expect(lines).toBe(Number(kept));
  expect(lines).toBeGreaterThan(0);
  // Whole tables may be there; halves, and the lock, are not.
  expect(readdirSync(out).filter((name) => name.startsWith("."))).toEqual([]);

  expect(mount("-o", "remount,size=64m", disk)).toBe(true);
  expect((await runCommand([...args, out, "--resume"])).status).toBe(0);
  const whole = await wholeResult();
  for (const name of files) {
    expect(readFileSync(join(out, name), "utf8") === readFileSync(join(whole, name), "utf8")).toBe(
      true,
    );
  }
});

test.skipIf(!isAble)(
  "a disk that is full leaves an old result as it was, and no scraps",
  async () => {
    const whole = await wholeResult();
    const disk = diskOf(statSync(join(whole, "points.csv")).size + 20_000);
    const points = join(disk, "points.csv");
    cpSync(join(whole, "points.csv"), points);
    const { status, stderr } = await runCommand(["price", points, "--cost", "nehalem"]);
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /^shadewalk: output folder \S+: cannot be written: ENOSPC: .*; the counts are where they were\n$/,
    );
    expect(readdirSync(disk)).toEqual(["points.csv"]);
  },
);
