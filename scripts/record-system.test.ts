/**
 * What the script does around QEMU, with a compiler and an emulator that are shell scripts; `npm run test:record` records a
 * real guest.
 *
 * Seen failing: a trace whose header stands behind its ops; phases whose marks end the recording one too early.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { runCommand } from "./run-command.ts";

const folder = mkdtempSync(join(tmpdir(), "shadewalk-record-system-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** As the plugin writes them: a header of one table tree, two phases, an exit, a fault that is answered by a store. */
const header = `# vmmu-trace 4
memory 4000000
cr0 10000
cr4 80
fill 200000 1 201063 0
fill 201000 1 202063 0
fill 202000 6 203063 1000
fill 203000 c00 63 1000
boot 200000
`;
const ops = `r 1000
x 2000
e io
n 7 21
p phase-1
w 3000
s 203008 4067
i 1000
r 1000
n 2 9
p phase-2
`;
const counts = `{ "phases": 2,
  "loadsAndStores": 13,
  "listed": 5 }
`;

writeFileSync(join(folder, "header"), header);
writeFileSync(join(folder, "ops"), ops);
writeFileSync(join(folder, "counts"), counts);
writeFileSync(join(folder, "kernel"), "a kernel");
const script = { mode: 0o755 };
writeFileSync(join(folder, "shell"), "#!/bin/sh\n", script);
writeFileSync(
  join(folder, "cc"),
  `#!/bin/sh\nwhile [ "$1" != -o ]; do shift; done\n: >"$2"\n`,
  script,
);
/** Writes what a plugin would, where its options say. */
const emulator = (version: string, does: string) => `#!/bin/sh
if [ "$1" = --version ]; then echo "QEMU emulator version ${version} (Debian 1:${version}+ds-2)"; exit; fi
for word; do case "$word" in *,ram=*) options="$word" ;; esac; done
option() { echo "$options" | tr , '\\n' | sed -n "s/^$1=//p"; }
${does}
`;
const records = `cat "${folder}/ops" >&3; cp "${folder}/header" "$(option header)"
cp "${folder}/counts" "$(option manifest)"; echo "phase 1: exit code 0"`;

function record(args: readonly string[], qemu = emulator("10.0.2", records)) {
  writeFileSync(join(folder, "qemu-system-x86_64"), qemu, script);
  const files = ["--kernel", join(folder, "kernel"), "--busybox", join(folder, "shell")];
  const recorder = join(import.meta.dirname, "record-system.ts");
  const { status, stderr } = spawnSync(process.execPath, [recorder, ...files, ...args], {
    env: { PATH: `${folder}:/usr/bin:/bin` },
    encoding: "utf8",
  });
  return { status, stderr };
}

test("the header stands before the ops, and every scheme runs what comes out", async () => {
  const out = join(folder, "guest");
  expect(record(["-o", out, "--kpti", "true", "echo 1"])).toEqual({
    status: 0,
    stderr: `record-system: 5 accesses listed of 13 loads and stores, 2 phases in ${out}/guest.trace.zst\n`,
  });
  expect(JSON.parse(readFileSync(join(out, "manifest.json"), "utf8"))).toMatchObject({
    qemu: "10.0.2",
    kpti: true,
    commands: ["true", "echo 1"],
    everyAccess: false,
    listed: 5,
  });
  const trace = join(out, "guest.trace.zst");
  const { stdout } = await runCommand([
    "run",
    "-t",
    trace,
    "-e",
    "shadow,ept",
    "--check",
    "--json",
  ]);
  const outcomes = JSON.parse(stdout) as {
    sections: { name: string; ledger: Record<string, number> }[];
  }[];
  expect(outcomes.map(({ sections }) => sections.map(({ name }) => name))).toEqual(
    outcomes.map(() => ["phase-1", "phase-2"]),
  );
  // Two listed accesses and seven that were dropped; a store to a table among three and two.
  expect(outcomes.map(({ sections }) => sections.map(({ ledger }) => ledger["accesses"]))).toEqual(
    outcomes.map(() => [9, 5]),
  );
  expect(readdirSync(out).filter((name) => name.endsWith(".partial"))).toEqual([]);
});

test("the guest's archive has its programs, and a first program that marks each phase", () => {
  const out = join(folder, "archive");
  record(["-o", out, "--add", join(folder, "counts"), "--", "true", "echo 1", "echo 2"]);
  const archive = readFileSync(join(out, "initrd"), "latin1");
  expect(archive.length % 4).toBe(0);
  expect(archive).toMatch(/^070701/);
  const names = Array.from(archive.matchAll(/070701[0-9a-f]{104}([^\0]+)\0/g), ([, name]) => name);
  expect(names.slice(0, 2)).toEqual(["bin", "dev"]);
  expect(names).toContain(join(folder, "counts").slice(1));
  expect(names).toContain("phases/3.sh");
  expect(names.at(-1)).toBe("TRAILER!!!");
  const marks = Array.from(archive.matchAll(/^\/mark (\d+)$/gm), ([, mark]) => Number(mark));
  // Nonzero begins and goes on, 0 ends.
  expect(marks).toEqual([1, 2, 3, 0]);
});

test("what cannot be recorded is one line, and leaves no trace", () => {
  const out = join(folder, "none");
  expect(record(["-o", out, "true"], emulator("7.2.0", records))).toEqual({
    status: 1,
    stderr:
      "record-system: qemu-system-x86_64 is 7.2.0: 9.2 or newer shows plugins what is stored\n",
  });
  expect(record(["-o", out, "true"], emulator("10.0.2", "echo panic; echo no >&2"))).toEqual({
    status: 1,
    stderr: `record-system: the guest told no phase; its last line: "panic"; QEMU's: "no"\n`,
  });
  expect(record(["-o", out, "--memory", "5", "true"])).toMatchObject({ status: 2 });
  expect(record(["-o", out, "--kernel", "absent", "true"])).toEqual({
    status: 2,
    stderr: `record-system: "absent": must be a readable file\n`,
  });
  expect(record(["-o", out])).toMatchObject({ status: 2 });
  expect(existsSync(join(out, "guest.trace.zst"))).toBe(false);
  expect(readdirSync(out).filter((name) => name.endsWith(".partial"))).toEqual([]);
});
