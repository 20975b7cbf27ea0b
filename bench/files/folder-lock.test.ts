/**
 * The lock of an output folder, between real processes.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { EnvironmentError } from "../input/config-error.ts";
import { lockFolder } from "./folder-lock.ts";
import { isAlive, ownProcess } from "./process-identity.ts";

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "shadewalk-lock-"));
  onTestFinished(() => rmSync(path, { recursive: true }));
  return path;
}

const module = new URL("./folder-lock.ts", import.meta.url).href;

/** A process that takes the lock, says how that went, and lives on for `milliseconds` if it has it. */
function holder(path: string, milliseconds: number, then = ""): ChildProcess {
  const code = `
    import { lockFolder } from ${JSON.stringify(module)};
    import { setTimeout as sleep } from "node:timers/promises";
    const options = { folder: ${JSON.stringify(path)}, beatSeconds: 0.05, watchSeconds: 1 };
    const lock = await lockFolder(options).catch((error) => {
      console.log(error.message);
      process.exit(1);
    });
    console.log("taken");
    await sleep(${milliseconds});
    ${then}`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", code], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  return child;
}

const closed = (child: ChildProcess) =>
  new Promise<number | null>((resolve) => child.once("close", resolve));

/** The first line that it prints. */
function said(child: ChildProcess): Promise<string> {
  return new Promise((resolve) =>
    child.stdout?.once("data", (text: Buffer) => resolve(text.toString().trim())),
  );
}

const quick = (path: string) => ({ folder: path, beatSeconds: 0.05, watchSeconds: 1 });

/** Makes the lock that lies in the folder one of another owner. */
function disguise(path: string, owner: object): void {
  const file = join(path, ".lock");
  const [first = "", beat = ""] = readFileSync(file, "utf8").split("\n");
  const changed: unknown = { ...(JSON.parse(first) as object), ...owner };
  writeFileSync(file, `${JSON.stringify(changed)}\n${beat}`);
}

// Seen failing without a lock: both wrote, and the first to end removed the other's journal.
test("while a process has the folder another one is refused with a line that names it", async () => {
  const path = folder();
  const child = holder(path, 20_000);
  expect(await said(child)).toBe("taken");
  const attempt = lockFolder(quick(path));
  await expect(attempt).rejects.toThrow(EnvironmentError);
  await expect(attempt).rejects.toThrow(
    `output folder ${path}: process ${child.pid} on ${hostname()} is writing it: ` +
      "wait until it ends, or choose another folder",
  );
  child.kill("SIGKILL");
  await closed(child);
  // A killed process leaves its lock, which opens at once.
  expect(existsSync(join(path, ".lock"))).toBe(true);
  let waited = "";
  const lock = await lockFolder({ ...quick(path), onWatch: (line) => (waited = line) });
  expect(waited).toBe("");
  lock.assertHeld();
  lock.release();
  expect(readdirSync(path)).toEqual([]);
});

test.each([
  ["ends", ""],
  ["exits", "process.exit(3);"],
  ["fails", 'throw new Error("planned");'],
])("a process that %s leaves no lock", async (_, then) => {
  const path = folder();
  const child = holder(path, 0, then);
  await said(child);
  await closed(child);
  expect(readdirSync(path)).toEqual([]);
});

// Seen failing with `clearDead` that removes the file by its name: the lock of who was faster went too.
test("of many that find a dead owner's lock exactly one gets it", async () => {
  const path = folder();
  const dead = holder(path, 20_000);
  await said(dead);
  dead.kill("SIGKILL");
  await closed(dead);
  const rivals = Array.from({ length: 6 }, () => holder(path, 3000));
  const words = await Promise.all(rivals.map(said));
  expect(words.filter((word) => word === "taken")).toHaveLength(1);
  expect(words.filter((word) => word.includes("is writing it"))).toHaveLength(5);
});

test("a number that now belongs to another process does not keep the folder", async () => {
  const path = folder();
  const child = holder(path, 20_000);
  await said(child);
  // The process lives, but started at another time than the owner.
  disguise(path, { started: "1" });
  const known = ownProcess().started !== null;
  const lock = await lockFolder(quick(path));
  lock.assertHeld();
  lock.release();
  expect(isAlive({ ...ownProcess(), started: "1" })).toBe(known ? "dead" : "unknown");
});

// Of another host only the beat can be seen. Seen failing with a watch that compares with the time of day.
test.each([
  ["another host", { host: "far-away" }],
  ["an earlier boot", { boot: "00000000-0000-0000-0000-000000000000 pid:[1]" }],
])("a silent lock of %s opens after a while", async (_, owner) => {
  const path = folder();
  const dead = holder(path, 20_000);
  await said(dead);
  dead.kill("SIGKILL");
  await closed(dead);
  disguise(path, owner);
  let waited = "";
  const lock = await lockFolder({ ...quick(path), onWatch: (line) => (waited = line) });
  expect(waited).toContain("waiting up to 1 s for a sign of life");
  lock.assertHeld();
  lock.release();
});

test("a lock of another host whose beat goes on stays shut", async () => {
  const path = folder();
  const file = join(path, ".lock");
  const lock = await lockFolder(quick(path));
  const [first = ""] = readFileSync(file, "utf8").split("\n");
  lock.release();
  const beats = setInterval(() => {
    count += 1;
    writeFileSync(
      file,
      `${first.replace(hostname(), "far-away")}\n${String(count).padStart(12, "0")}`,
    );
  }, 50);
  let count = 0;
  onTestFinished(() => clearInterval(beats));
  await sleep(100);
  await expect(lockFolder(quick(path))).rejects.toThrow(
    `process ${process.pid} on far-away is writing it`,
  );
});

test("an unreadable lock opens after a while", async () => {
  const path = folder();
  writeFileSync(join(path, ".lock"), "\0\0\0");
  const lock = await lockFolder(quick(path));
  lock.assertHeld();
  lock.release();
  expect(readdirSync(path)).toEqual([]);
});

test("an owner beats, and learns that another process took the folder over", async () => {
  const path = folder();
  const file = join(path, ".lock");
  const lock = await lockFolder(quick(path));
  const before = readFileSync(file, "utf8");
  await sleep(200);
  const after = readFileSync(file, "utf8");
  expect(after).not.toBe(before);
  expect(after.length).toBe(before.length);
  const taken = before.replace(hostname(), "far-away").replace(/"token":"./, '"token":"-');
  writeFileSync(file, taken);
  await sleep(200);
  expect(() => lock.assertHeld()).toThrow(
    `output folder ${path}: process ${process.pid} on far-away took it over, because this one seemed dead`,
  );
  lock.release();
  // The other's lock, its beat included, is left alone.
  expect(readFileSync(file, "utf8")).toBe(taken);
});
