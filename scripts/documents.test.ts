/**
 * Every command in README, ARCHITECTURE, docs and help texts runs: exit code 0, and output that fits the command.
 *
 * Seen failing: README's `dirty-log ... -e ept-pml`, where -e takes no name.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, expect, test } from "vitest";
import {
  documentCommands,
  elsewhere,
  smallCommand,
  unusedSubstitutions,
} from "./document-commands.ts";

const repository = join(import.meta.dirname, "..");
const folder = mkdtempSync(join(tmpdir(), "shadewalk-documents-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** What each command prints, or writes where it prints nothing. */
const plausible: Readonly<Record<string, RegExp>> = {
  bench: /native/,
  shard: /points|Usage/,
  merge: /native|Usage/,
  submit: /native|points|Usage/,
  why: /walk|idle|log|nesting|device|remap|lock/i,
  report: /\.html: \d/,
  lab: /^(?:1\. |6 of 6 right$)/m,
  run: /exits|VM-EXIT|"counters"/,
  walk: /^GVA .*: \d+ references, \d+ guest and \d+ nested$|^The device .*; \d+ references$/m,
  dma: /host calls|^scheme,|accesses checked|accesses of devices|silicon|^  ok /m,
  share: /snapshot|clone|merge|overcommit/,
  trace: /^\[STATS\] exits=\d+ tlb_flushes=\d+$/m,
  "dirty-log": /^populate .*\n/m,
  migrate: /ept-pml|ept-wp/,
  leak: /^─+$/m,
  "shadow-stack": /BROKEN/,
  attack: /held|BROKEN|none breaks it/,
  fuzz: /[1-9]\d* accesses checked/,
  price: /rows priced by /,
  completion: /complete -F _shadewalk shadewalk/,
  convert: /^$/,
  compare: /^no difference$/m,
  cost: /cycles:|VM-EXIT/,
  list: /shadow-lazy/,
  "--help": /Usage: shadewalk/,
};

const trace =
  "# vmmu-trace 1\nmemory 4000000\nfill 200000 1 201063 0\nfill 201000 1 202063 0\nfill 202000 6 203063 1000\nfill 203000 c00 63 1000\nboot 200000\nw 1000\nr 2000\n";
const sweepHead = "title: t\npresets: [textbook]\nseeds: [1]\n";
const workload =
  "workloads:\n  - { workload: uniform, params: [{ pages: 64, accesses: 2000 }] }\n" +
  "  - { workload: forkwait, params: [{ pages: 16, forks: 5 }] }\n";
const moving =
  "workloads: [{ workload: hot-write, params: [{ pages: 600, accesses: 3000 }] }]\n" +
  "migrations: [{ bandwidth: 50Gbit, downtime: 1ms, bandwidthWindow: 0ms }]\n";

const files: Readonly<Record<string, string | Uint8Array>> = {
  "small.yaml": `${sweepHead}engines: [native, ept, shadow]\n${workload}`,
  "moves.yaml": `${sweepHead}engines: [ept-wp, ept-pml]\n${moving}`,
  "pinatrace.out": "0x401136: R 0x7ffe1230\n#eof\n",
  "dialect.txt": "PT_WRITE 0x1000->0x5000\nACCESS 0x1000\n",
  "program.trace.gz": gzipSync(trace),
  // Content decides, not the name, so this test needs no xz.
  "program.trace.xz": gzipSync(trace),
  "perf.txt":
    "             VM-EXIT    Samples  Samples%     Time%    Min Time    Max Time         Avg time\n" +
    "       EXCEPTION_NMI      20000    80.00%    90.10%      1.32us     84.99us      2.00us ( +-   0.90% )\n" +
    "           CR_ACCESS       5000    20.00%     9.90%      0.33us     32.79us      1.20us ( +-   1.51% )\n",
};
for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);

const launch = `"${process.execPath}" "${join(repository, "scripts/launch.js")}"`;

function shell(command: string) {
  const script = `set -o pipefail; ${command.replaceAll("npx shadewalk", launch)}`;
  return spawnSync("bash", ["-c", script], { cwd: folder, encoding: "utf8" });
}

// What `lab --seed 7 --grade` is to find right.
const { stdout: sheet } = shell("npx shadewalk lab --seed 7 --answers");
const answers = Array.from(
  sheet.matchAll(/Answer: (\d+)\./g),
  ([, one], i) => `${i + 1}: ${one}\n`,
);
writeFileSync(join(folder, "answers.txt"), answers.join(""));

const all = documentCommands();

test("the documents hold commands, and nothing in the tables is left over", () => {
  expect(all.size).toBeGreaterThan(80);
  expect(unusedSubstitutions(all.keys())).toEqual([]);
  const commands = [...all.keys()];
  for (const [command, where] of elsewhere) {
    expect(commands.some((one) => command.test(one))).toBe(true);
    expect(existsSync(join(repository, where))).toBe(true);
  }
});

const here = [...all].filter(([command]) => !elsewhere.some(([one]) => one.test(command)));

// In the order of the documents: some read what another wrote.
test.each(here)("%s (%s)", { timeout: 120_000 }, (command) => {
  const small = smallCommand(command);
  const { status, stdout, stderr } = shell(small);
  expect(`${small}: ${status}, ${stderr}`).toContain(`${small}: 0, `);
  const [, name = ""] = /npx shadewalk (\S+)/.exec(small) ?? [];
  const [, file] = / (?:>|--out) (\S+\.(?:csv|yaml))$/.exec(small) ?? [];
  const said = stdout + (file === undefined ? "" : readFileSync(join(folder, file), "utf8"));
  expect(said).toMatch(plausible[name] ?? /^never$/);
  expect(said).not.toMatch(/\bNaN\b|undefined|\[object/);
});
