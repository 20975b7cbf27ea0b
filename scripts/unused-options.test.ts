/**
 * An option that is accepted is used: beside another that makes it mean nothing it is refused, in one line.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { execute } from "./program.ts";
import { runCommand } from "./run-command.ts";

const folder = mkdtempSync(join(tmpdir(), "shadewalk-unused-"));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const memory = "memory 4000000\n";
const plain = file("plain.trace", `# vmmu-trace 1\n${memory}boot 200000\nr 1000\n`);
const small = file("small.trace", `# vmmu-trace 2\n${memory}backing 4k\nboot 200000\nr 1000\n`);
const deep = file("deep.trace", `# vmmu-trace 3\n${memory}cr4 1080\nboot 200000\nr 1000\n`);
const lesson = file("lesson.txt", "PT_WRITE 0x1000->0x5000\nACCESS 0x1000\n");

// All of them were seen accepted, with exit code 0 and the bytes of a run without the option.
const unused: [string[], string][] = [
  [["run", "-t", plain, "-w", "gups"], `--workload: is not used with --trace: "${plain}" is the`],
  [["run", "-t", plain, "-p", "pageSize=2m", "bogus=7"], "--param: is not used with --trace"],
  [
    ["run", "-t", small, "--backing", "2m"],
    `--backing 2m: ${small} runs on host pages of 4k, allowed`,
  ],
  [["run", "-t", plain, "--levels", "5-on-4"], "has 4 levels, allowed: 4-on-4, 4-on-5"],
  [["run", "-t", deep, "--levels", "4-on-4"], "has 5 levels, allowed: 5-on-4, 5-on-5"],
  [["run", "-t", lesson, "--backing", "2m"], "--backing 2m: "],
  [["run", "-t", lesson, "--levels", "5-on-5"], "--levels 5-on-5: "],
  [["run", "-t", lesson, "--seed", "7"], "--seed 7: nothing in "],
  [["run", "--json", "--perf-shape"], "--json: cannot be printed together with --perf-shape"],
  [["lab", "--grade", lesson, "--answers"], "--answers: is not used with --grade"],
  [["bench", "quick", "--seeds", "5,6"], "seeds: no point is repeated with several"],
  [["migrate", "--sweep", "migration", "-w", "gups"], "--workload: is not used with --sweep"],
  [["migrate", "--sweep", "migration", "--no-zero-pages"], "--no-zero-pages: is not used with"],
  [["migrate", "--throttle-max", "50"], "--throttle-max: is not used without --auto-converge"],
  [["migrate", "--round-trip", "1ms"], "--round-trip: is not used with --mode precopy"],
  [
    ["migrate", "--mode", "postcopy", "--postcopy-after", "0", "--downtime", "1ms"],
    "--downtime: is not used with --postcopy-after 0",
  ],
  [["walk", "0x400000", "-e", "npt@npt,ept", "--cascade"], "--cascade: is not used by ept,"],
  [["share", "--answers", "--backing", "2m"], "--backing: is not used with --answers"],
  [["share", "snapshot", "--answers"], "scenarios snapshot: not used with --answers"],
  [["share", "clone", "--every", "500"], "--every: is not used by clone"],
  [["share", "snapshot,merge", "--limit", "50"], "--limit: is not used by snapshot, merge"],
  [["dirty-log", "--engine", "kvm-6.12", "--ring", "4096"], "--ring: is not used by kvm-6.12"],
  [["dirty-log", "--engine", "ept", "--collapse", "never"], "--collapse: is not used by ept,"],
  [["dirty-log", "--json", "--gigahertz", "2"], "--gigahertz: is not used with --json"],
  [
    ["submit", "quick", "--engine", "local", "-o", join(folder, "out"), "--wait"],
    "--wait: is not used with --engine local",
  ],
  [
    ["submit", "quick", "--engine", "slurm", "-o", join(folder, "out"), "--sshlogin", "a,b"],
    "--sshlogin: is not used with --engine slurm",
  ],
];

test.each(unused)("%j is refused", async (words, message) => {
  const failure = await execute(words);
  expect(failure?.text).toContain(message);
  expect(failure?.text).toMatch(/^shadewalk: [^\n]+$/);
  expect(failure?.exitCode).toBe(2);
});

interface Printed {
  readonly run: Readonly<Record<string, unknown>>;
  readonly sections: readonly { readonly ledger: Readonly<Record<string, number>> }[];
}

/** 16 pages of 2 MiB in a row, so that host pages of 2 MiB take fewer EPT violations. */
const accesses = Array.from({ length: 64 }, (_, i) => `r ${(0x40_0000 + i * 0x1000).toString(16)}`);
const entries = "fill 200000 1 201063 0\nfill 201000 1 202063 0\nfill 202000 10 e3 200000\n";
const body = `${entries}boot 200000\n${accesses.join("\n")}\n`;

async function printed(text: string, ...words: string[]): Promise<Printed> {
  const args = ["run", "-t", "-", "--preset", "textbook", "--json", ...words];
  const { stdout, stderr } = await runCommand(args, { input: text });
  expect(stderr).toBe("");
  return JSON.parse(stdout) as Printed;
}

// Seen: the record said 2m and the counts were those of 4k.
test("--backing decides for a trace that leaves it open, and is what the header would say", async () => {
  const asked = await printed(`# vmmu-trace 2\n${memory}${body}`, "--backing", "2m");
  const said = await printed(`# vmmu-trace 2\n${memory}backing 2m\n${body}`);
  const usual = await printed(`# vmmu-trace 2\n${memory}${body}`);
  expect(asked).toMatchObject({ run: { backing: "2m" }, sections: said.sections });
  expect(said.run).toEqual(asked.run);
  expect(usual.run).toMatchObject({ backing: "4k", guestLevels: 4, nestedLevels: 4, seed: 1 });
  expect(usual.sections[0]?.ledger["exits"]).toBeGreaterThan(
    said.sections[0]?.ledger["exits"] ?? 0,
  );
});

// Seen: the record said 4 levels.
test("the levels of a trace's guest are in its record, and --levels may add the host's", async () => {
  const deepText = `# vmmu-trace 3\n${memory}cr4 1080\nboot 200000\nr 1000\n`;
  const usual = await printed(deepText);
  expect(usual.run).toMatchObject({ guestLevels: 5, nestedLevels: 4 });
  const both = await printed(deepText, "--levels", "5-on-5");
  expect(both.run).toMatchObject({ guestLevels: 5, nestedLevels: 5 });
});
