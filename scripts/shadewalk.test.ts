import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, expect, test } from "vitest";
import { execute } from "./program.ts";
import { runCommand } from "./run-command.ts";

const folder = mkdtempSync(join(tmpdir(), "shadewalk-cli-"));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const sweep = "title: t\nengines: [ept]\npresets: [textbook]\nseeds: [1]\n";
const small = "workloads: [{ workload: uniform, params: [{ pages: 8, accesses: 10 }] }]\n";
const machine = (change: string) =>
  `${sweep}machines: { mine: { like: textbook, ${change} } }\n${small}`;
const trace = "# vmmu-trace 1\nmemory 4000000\nboot 200000\n";
const cost = readFileSync(join(import.meta.dirname, "../bench/costs/zen2.yaml"), "utf8");

// Each line: what is wrong, the command, the exit code, and what the one line on stderr must hold.
const mistakes: [string, string[], number, string[]][] = [
  ["an unknown command", ["bnech"], 2, ["'bnech'", "Did you mean bench?", "Allowed: walk, "]],
  ["an unknown option", ["run", "--engin", "ept"], 2, ["--engin", "--engine"]],
  ["an unknown engine", ["run", "-e", "epx"], 2, ['engine "epx"', "Did you mean ept?", "native"]],
  ["an unknown workload", ["run", "-w", "unifrm"], 2, ['"unifrm"', "Did you mean uniform?"]],
  ["an unknown preset", ["run", "--preset", "z80"], 2, ['preset "z80"', "Allowed: textbook"]],
  ["an unknown parameter", ["run", "-p", "page=1"], 2, ["page: unknown", "Allowed: pages"]],
  ["a parameter that is NaN", ["run", "-p", "pages=NaN"], 2, ["pages", '"NaN"', "whole number"]],
  ["a parameter without a value", ["run", "-p", "pages"], 2, ['"pages"', "NAME=VALUE"]],
  ["a page size that is none", ["run", "-p", "pageSize=8k"], 2, ['"8k"', "4k or 2m"]],
  ["too much memory", ["run", "-p", "pages=99999999999"], 2, ["128 GiB"]],
  ["a seed that is none", ["run", "--seed", "x"], 2, ['--seed "x"', "whole number"]],
  ["levels that do not exist", ["walk", "0", "--levels", "2-on-4"], 2, ["Allowed: 4-on-4"]],
  ["a size that is none", ["dirty-log", "-b", "3k"], 2, ['-b "3k"', "10M or 3G"]],
  ["uneven memslots", ["dirty-log", "-b", "8k", "-x", "3"], 2, ["-x 3", "2 pages evenly"]],
  ["a ring without room", ["dirty-log", "--ring", "10"], 2, ['--ring "10"', "from 1024"]],
  ["an address that is none", ["walk", "0xzz"], 2, ['GVA "0xzz"', "hexadecimal"]],
  ["no canonical address", ["walk", "0xfff800000000000"], 2, ["GVA", "0xffff800000000000 to 0x"]],
  ["an address without 0x", ["walk", "4194304"], 2, ["0x4194304", "0x400000 for decimal"]],
  ["no workers", ["bench", "--workers", "0"], 2, ['--workers "0"', "from 1 to 256"]],
  ["a sweep that does not exist", ["bench", "defualt"], 2, ["Did you mean default?", "quick"]],
  ["a filter that names nothing", ["bench", "--engines", "ept,x"], 2, ['engine "x"']],
  ["a filter that the sweep has not", ["bench", "quick", "--engines", "xen"], 2, ["no engine xen"]],
  [
    "an unknown engine in a sweep",
    ["bench", file("e.yaml", sweep.replace("ept", "ep") + small)],
    2,
    ["e.yaml:2: engines[0]", '"ep"', "Allowed: native"],
  ],
  [
    "zero ways",
    ["bench", file("ways.yaml", machine("stlb: { entries: 8, ways: 0 }"))],
    2,
    ["ways.yaml:5: machines.mine.stlb.ways: 0"],
  ],
  [
    "entries not divisible by ways",
    ["bench", file("divide.yaml", machine("stlb: { entries: 10, ways: 4 }"))],
    2,
    ["divide.yaml:5: machines.mine.stlb.entries: 10: must be a multiple of ways (4)"],
  ],
  [
    "an output folder below a file",
    ["bench", "quick", "--out", file("plain", "") + "/out"],
    1,
    ["output folder", "plain/out", "cannot be written"],
  ],
  // Seen running for its whole time first.
  [
    "a migration's output folder below a file",
    ["migrate", "--out", file("plain", "") + "/out"],
    1,
    ["output folder", "plain/out", "cannot be written"],
  ],
  [
    "an answer's output folder below a file",
    ["why", "--out", file("plain", "") + "/out"],
    1,
    ["output folder", "plain/out", "cannot be written"],
  ],
  // Seen hanging: mkdir with `recursive`, for ever.
  [
    "an output folder where none can be made",
    ["bench", "quick", "--out", "/proc/none/out"],
    1,
    ["output folder", "/proc/none/out", "cannot be written"],
  ],
  [
    "a cost of NaN",
    ["bench", "quick", "--cost", file("nan.yaml", cost.replace(/cycles: \S+/, "cycles: .nan"))],
    2,
    ["nan.yaml:", "NaN", "number of cycles"],
  ],
  ["an unknown cost file", ["price", "x.csv", "--cost", "zen3"], 2, ['"zen3"', "zen2"]],
  ["points that do not exist", ["price", join(folder, "no.csv"), "--cost", "zen2"], 2, ["no.csv"]],
  [
    "points that are none",
    ["price", file("p.csv", "a,b\n1,2\n"), "--cost", "zen2"],
    2,
    ["p.csv:1"],
  ],
  [
    "a trace that does not exist",
    ["run", "-t", join(folder, "no.trace")],
    2,
    ["no.trace", "no such file"],
  ],
  ["a trace of no format", ["run", "-t", file("x.trace", "hello\n")], 2, ["x.trace: line 1"]],
  ["a malformed line", ["run", "-t", file("m.trace", `${trace}r 10zz\n`)], 2, ["line 4", '"10zz"']],
  ["an unknown op", ["run", "-t", file("o.trace", `${trace}q 1\n`)], 2, ["line 4", '"q"']],
  ["a trace without its header", ["run", "-t", file("h.trace", "# vmmu-trace 1\n")], 2, ["boot"]],
  [
    "a cut .gz",
    ["run", "-t", file("cut.gz", gzipSync(trace.repeat(99)).subarray(0, 40))],
    2,
    ["gzip data", "unexpected end of file"],
  ],
  ["a wrong compression", ["run", "-t", file("b.bz2", "BZh91AY&SY")], 2, ["bzip2", ".zst"]],
  [
    "tables outside memory",
    [
      "run",
      "-t",
      file(
        "out.trace",
        "# vmmu-trace 1\nmemory 400000\nfill 200000 1 7ffff063 0\nboot 200000\nr 1000\n",
      ),
    ],
    2,
    ["out.trace: line 5", "allowed: GPAs below 400000"],
  ],
  ["another trace than the dialect", ["trace", file("v.trace", trace)], 2, ["v.trace", "PT_WRITE"]],
];

test.each(mistakes)("a mistake is one line: %s", async (_, args, code, parts) => {
  const failure = await execute(args);
  for (const part of parts) expect(failure?.text).toContain(part);
  expect(failure?.text).toMatch(/^shadewalk: [^\n]+$/);
  expect(failure?.text).not.toMatch(/ at .*:\d+:\d+/);
  expect(failure?.exitCode).toBe(code);
});

test("a mistake goes to stderr, nothing to stdout, and the exit code says what it was", async () => {
  const usage = await runCommand(["run", "--engine", "epx"]);
  expect(usage.stderr).toMatch(/^shadewalk: engine "epx": unknown\. [^\n]*\n$/);
  expect(usage).toMatchObject({ status: 2, stdout: "" });
  const out = file("plain-too", "") + "/out";
  const environment = await runCommand(["bench", "quick", "--out", out]);
  expect(environment.stderr).toMatch(/^shadewalk: output folder [^\n]*\n$/);
  expect(environment).toMatchObject({ status: 1, stdout: "" });
});

test("no command at all prints the help and exits with 2", async () => {
  const { status, stderr } = await runCommand([]);
  expect(stderr).toContain("Examples:");
  expect(status).toBe(2);
});

test("a failed run writes nothing", async () => {
  const out = join(folder, "nothing");
  mkdirSync(out);
  await runCommand([
    "bench",
    file("bad.yaml", machine("stlb: { entries: 10, ways: 4 }")),
    "--out",
    out,
  ]);
  expect(() => readFileSync(join(out, "points.csv"))).toThrow("ENOENT");
});

test.each([
  ["ept", 24],
  ["npt", 24],
  ["shadow", 4],
  ["native", 4],
])("walk under %s prints %i numbered lines on textbook", async (engine, references) => {
  const { stdout, status } = await runCommand(["walk", "0x412345", "--engine", engine]);
  const lines = stdout.trimEnd().split("\n");
  const numbers = lines.flatMap((line) => /^ *(\d+) {2}(?:guest|nested) /.exec(line)?.[1] ?? []);
  expect(numbers).toEqual(Array.from({ length: references }, (_, index) => `${index + 1}`));
  expect(lines.at(-1)).toContain(`${references} references`);
  expect(status).toBe(0);
});

test("trace prints the teaching dialect's very lines", async () => {
  const input = "PT_WRITE 0x1000->0x5000\nACCESS 0x1000\n";
  const { stdout } = await runCommand(["trace", "-"], { input });
  expect(stdout.split("\n").slice(0, 2)).toEqual([
    "[TRACE] PT_WRITE 0x1000->0x5000",
    "[TRACE] SHADOW_UPDATE 0x1000->0x8A000",
  ]);
  expect(stdout.split("\n")[2]).toMatch(/^\[STATS\] exits=\d+ tlb_flushes=\d+$/);
});

test("run prints JSON whose counts the oracle has checked", async () => {
  const point = ["-w", "forkwait", "-p", "forks=3", "--preset", "skylake-sp", "--check", "--json"];
  const { stdout } = await runCommand(["run", "-e", "shadow-lazy", ...point]);
  const outcome = JSON.parse(stdout) as {
    checked: number;
    sections: { name: string; ledger: { accesses: number } }[];
  };
  const accesses = outcome.sections.reduce((sum, { ledger }) => sum + ledger.accesses, 0);
  expect(outcome.sections.map(({ name }) => name)).toEqual(["setup", "measured"]);
  expect(outcome.checked).toBe(accesses);
  expect(accesses).toBeGreaterThan(1000);
});

test("run takes a trace from standard input and counts by phase", async () => {
  const entries = "fill 200000 1 201063 0\nfill 201000 1 202063 0\nfill 202000 1 203063 0\n";
  const ops = "fill 203008 1 5063 0\nboot 200000\nr 1000\np first\nr 1000\np second\nr 2000\n";
  const input = `# vmmu-trace 1\nmemory 4000000\n${entries}${ops}`;
  const args = ["run", "-t", "-", "-e", "ept", "--preset", "textbook", "--check", "--json"];
  const { stdout, stderr } = await runCommand(args, { input });
  expect(stderr).toBe("");
  const { sections } = JSON.parse(stdout) as {
    sections: { name: string; ledger: Record<string, number> }[];
  };
  const counts = sections.map(({ name, ledger }) => [
    name,
    ledger["accesses"],
    ledger["guestPageFaults"],
  ]);
  expect(counts).toEqual([
    ["first", 1, 0],
    ["second", 1, 0],
    ["rest", 0, 1],
  ]);
});

test("price gives a file the bytes of a run that was priced so", async () => {
  const path = file("tiny.yaml", sweep.replace("[ept]", "[native, ept]") + small);
  const [one, other] = [join(folder, "one"), join(folder, "other")];
  await runCommand(["bench", path, "--out", one, "--quiet"]);
  await runCommand(["bench", path, "--out", other, "--quiet", "--cost", "nehalem"]);
  const repriced = join(folder, "repriced.csv");
  await runCommand(["price", join(one, "points.csv"), "--cost", "nehalem", "--out", repriced]);
  const text = readFileSync(repriced, "utf8");
  expect(text).toBe(readFileSync(join(other, "points.csv"), "utf8"));
  expect(text).not.toBe(readFileSync(join(one, "points.csv"), "utf8"));
});
