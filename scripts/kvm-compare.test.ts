/**
 * `scripts/kvm-compare` from end to end, with a perf that prints what a real one would of a guest whose exits are known.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";

const repository = join(import.meta.dirname, "..");
const folder = mkdtempSync(join(tmpdir(), "shadewalk-kvm-"));
afterAll(() => rmSync(folder, { recursive: true }));
const trace = join(repository, "results/groundtruth/traces/touch_N=64_rw=1_ad=1_warm=1.trace.gz");

const names: Readonly<Record<string, string>> = {
  "page-fault": "PF excp",
  invlpg: "invlpg",
  "cr3-write": "write_cr3",
};

/** What perf would print: a guest that boots, tells its phases at the port, and takes the exits of the replay. */
function tracepoints(): string {
  const command = join(repository, "scripts/validate.ts");
  const { stdout } = spawnSync(process.execPath, [command, "--trace", trace, "--exits"], {
    encoding: "utf8",
  });
  const at = "       CPU 0/KVM  4242 [001]  10.000004:  ";
  const exit = (name: string) =>
    `${at} kvm:kvm_exit: vcpu 0 reason ${name} rip 0x401000 info1 0x0 info2 0x0 intr_info 0x0 error_code 0x0\n`;
  const mark = `${exit("io")}${at} kvm:kvm_pio: pio_write at 0x511 size 1 count 1 val 0x1 \n`;
  const lines = stdout.split("\n").flatMap((line) => {
    if (line.startsWith("phase ")) return [mark];
    const reason = /^ +\d+ {2}(\S+)/.exec(line)?.[1];
    return reason === undefined ? [] : [exit(names[reason] ?? reason), exit("interrupt")];
  });
  return [exit("cpuid"), exit("npf"), mark, ...lines].join("");
}

function kvmCompare(args: readonly string[], perf: "fake" | "no tracepoint") {
  const bin = join(folder, "bin");
  mkdirSync(bin, { recursive: true });
  const script = `#!/bin/sh
case "$1" in
  --version) echo "perf version 6.1.140" ;;
  list) ${perf === "fake" ? 'echo "  kvm:kvm_exit    [Tracepoint event]"' : ":"} ;;
  record) while [ "$1" != --output ]; do shift; done; echo PERFILE2 >"$2" ;;
  script) cat "${join(folder, "perf.txt")}" ;;
esac
`;
  writeFileSync(join(bin, "perf"), script, { mode: 0o755 });
  const { status, stdout, stderr } = spawnSync(join(repository, "scripts/kvm-compare"), args, {
    cwd: folder,
    env: { ...process.env, PATH: `${bin}:${process.env["PATH"]}` },
    encoding: "utf8",
  });
  return { status, stdout, stderr };
}

// Seen failing: exits of the guest's boot counted into its first phase.
test("a guest's exits, recorded and set beside the replay of the same guest", () => {
  writeFileSync(join(folder, "perf.txt"), tracepoints());
  const recorded = kvmCompare(["record", "real", "--", "true"], "fake");
  expect(recorded).toMatchObject({ status: 0, stderr: "" });
  expect(recorded.stdout).toMatch(/^\d+ exits in real$/m);
  expect(readdirSync(join(folder, "real")).toSorted()).toEqual([
    "exits.txt",
    "host.txt",
    "perf.log",
  ]);
  const shown = kvmCompare(["show", "real", "--trace", trace, "--engine", "kvm-6.1"], "fake");
  expect(shown).toMatchObject({ status: 0, stderr: "" });
  expect(shown.stdout).toMatch(/^phase 1 \(.*\) +KVM +kvm-6\.1$/m);
  expect(shown.stdout).toMatch(/^ {2}PageFault +\d+ +\d+$/m);
  expect(shown.stdout).toMatch(/^ {2}interrupt +\d+ +not compared$/m);
  expect(shown.stdout).toMatch(/^\d+ counts compared, 0 differ$/m);
});

test("another engine's counts differ, and say where", () => {
  const shown = kvmCompare(["show", "real", "--trace", trace, "--engine", "kvm-tdp"], "fake");
  expect(shown.status).toBe(1);
  expect(shown.stdout).toMatch(/^ {2}PageFault +\d+ +0 {2}<- differs$/m);
});

test("the host's parameters choose the engine", () => {
  const file = join(folder, "real/host.txt");
  writeFileSync(file, "kernel 6.12.1\nprocessor a processor\nkvm_amd.npt N\n");
  const shown = kvmCompare(["show", "real", "--trace", trace], "fake");
  expect(shown.stdout).toMatch(/^a processor, Linux 6\.12\.1, shadow; kvm-6\.12$/m);
  expect(readFileSync(file, "utf8")).toMatch(/npt N/);
});

test.each([
  [[], 2, /^Usage: scripts\/kvm-compare record/],
  [["record"], 2, /^kvm-compare: record needs a folder$/m],
  [["record", "x"], 2, /^kvm-compare: record needs a command behind -- or --pid$/m],
  [["record", "x", "--pid", "999999999"], 2, /^kvm-compare: --pid 999999999: no such process$/m],
  [["record", "x", "--what"], 2, /^kvm-compare: unknown: --what/],
  [["record", "x", "--", "true"], 1, /^kvm-compare: no tracepoint kvm:kvm_exit here/],
  [["show", "nowhere", "--trace", trace], 2, /nowhere/],
  [["show", "real", "--trace", trace, "--engine", "kvm"], 2, /engine "kvm": unknown/],
  [["show", "real", "--trace", trace, "--port", "x"], 2, /--port "x": allowed/],
] as const)("%j is refused in a line", (args, status, line) => {
  const refused = kvmCompare(args, "no tracepoint");
  expect(refused.status).toBe(status);
  expect(refused.stderr).toMatch(line);
});
