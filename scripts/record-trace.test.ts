import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { zstdDecompressSync } from "node:zlib";
import { afterAll, expect, test } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "shadewalk-record-"));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const log = `==77== Lackey, an example Valgrind tool
I  00400000,3
 L 1fff000778,8
I  00400003,3
 S 1fff000770,8
 S 1fff000768,8
SYSCALL[77,1](11) sys_munmap ( 0x483c000, 34547 )[sync] --> Success(0x0)
I  00400006,3
 L 1fff000778,8
SYSCALL[77,1](39) sys_getpid ( )[sync] --> Success(0x4d)
 M 1fff001000,4
I  00400009,3
==77== Exit code:       0
`;

/** Runs the script with a valgrind that writes the log above, or with none. */
function record(args: readonly string[], valgrind: "fake" | "none" = "fake") {
  writeFileSync(join(folder, "log"), log);
  writeFileSync(join(folder, "valgrind"), `#!/bin/sh\ncat "${join(folder, "log")}" >&3\n`, {
    mode: 0o755,
  });
  const path = valgrind === "fake" ? `${folder}:${process.env["PATH"]}` : "/nonexistent";
  const script = join(import.meta.dirname, "record-trace.ts");
  const { status, stderr } = spawnSync(process.execPath, [script, ...args], {
    env: { PATH: path },
    encoding: "utf8",
  });
  return { status, stderr };
}

test("a whole run is the log, with every process number 1", () => {
  const out = join(folder, "whole.lackey");
  expect(record(["-o", out, "--", "program"])).toEqual({
    status: 0,
    stderr: `record-trace: 9 records in ${out}\n`,
  });
  expect(readFileSync(out, "utf8")).toBe(log.replaceAll(/(==|\[)77/g, "$11"));
});

test("a window has the system calls and first touches before it, and ends when it is full", () => {
  const out = join(folder, "window.lackey.zst");
  expect(record(["-o", out, "--skip", "6", "--keep", "2", "program"]).status).toBe(0);
  expect(zstdDecompressSync(readFileSync(out)).toString()).toBe(`==shadewalk== set-up
==1== Lackey, an example Valgrind tool
I  00400000,3
 L 1fff000778,8
 S 1fff000770,8
SYSCALL[1,1](11) sys_munmap ( 0x483c000, 34547 )[sync] --> Success(0x0)
I  00400006,3
==shadewalk== measure
 L 1fff000778,8
SYSCALL[1,1](39) sys_getpid ( )[sync] --> Success(0x4d)
 M 1fff001000,4
`);
});

test("what cannot be recorded is one line, and leaves no file", () => {
  const out = join(folder, "none.lackey");
  expect(record(["-o", out, "program"], "none")).toEqual({
    status: 1,
    stderr: "record-trace: valgrind is not installed; get it with: apt-get install valgrind\n",
  });
  expect(record(["-o", out, "--skip", "99", "program"])).toEqual({
    status: 2,
    stderr: 'record-trace: --skip 99: program "program" made no access after so many records\n',
  });
  expect(record(["-o", out, "--skip", "x", "program"]).stderr).toMatch(/^record-trace: --skip "x"/);
  expect(record(["-o", out])).toMatchObject({ status: 2 });
  expect(record(["-o", join(folder, "no", "out"), "program"])).toMatchObject({ status: 1 });
  expect(existsSync(out)).toBe(false);
  expect(readdirSync(folder).filter((name) => name.endsWith(".partial"))).toEqual([]);
});
