/**
 * Other tools' files as a person meets them: perf's tables, KVM's counters and lackey logs on the command line.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { parseCost } from "../bench/costs/cost-file.ts";
import { runCommand } from "./run-command.ts";

const folder = mkdtempSync(join(tmpdir(), "shadewalk-imports-"));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const table = (samples: number, mean: string) => `
             VM-EXIT    Samples  Samples%     Time%         Avg time

       EXCEPTION_NMI        ${samples}    99.00%    99.00%      ${mean}us ( +-   0.90% )
                 HLT          1     1.00%     1.00%      1.00us ( +-   0.90% )

Total Samples:${samples + 1}, Total events handled time:1.00us.
`;

test("cost takes two tables and fallen gauges, writes the file, and says how it read them", async () => {
  const perf = file("perf.txt", table(100, "2.00") + table(300, "6.00"));
  const whole = await runCommand(["cost", "--from-perf", perf, "--mhz", "2000"]);
  expect(whole.status).toBe(0);
  expect(whole.stderr).toBe(
    `${perf}: 2 tables (lines 2, 9) taken together, means weighted by samples\nwithout a price here: HLT\n`,
  );
  expect(parseCost(whole.stdout, "mine.yaml").exits.PageFault.handler).toBe(10_000);
  const kvm = file("kvm.txt", "/sys/kernel/debug/kvm/mmu_unsync:-3\n");
  const out = join(folder, "mine.yaml");
  const args = ["cost", "--from-perf", perf, "--mhz", "2000", "--debugfs", kvm, "--out", out];
  expect(await runCommand(args)).toMatchObject({ status: 0, stdout: "" });
  // No event counted, so all of the time is the handler's.
  expect(parseCost(readFileSync(out, "utf8"), out).exits.PageFault.handler).toBe(10_000);
});

test("an empty table names standard error, and so does the help", async () => {
  const empty = await runCommand(["cost", "--from-perf", file("no.txt", ""), "--mhz", "2000"]);
  expect(empty).toMatchObject({ status: 2, stdout: "" });
  expect(empty.stderr).toMatch(/no\.txt: empty, .* standard error: .* 2> perf\.txt \| cat`\n$/);
  const help = await runCommand(["cost", "--help"]);
  expect(help.stdout).toContain("perf kvm stat report --event=vmexit 2> perf.txt");
});

test("results in perf's shape go where --out says, and other options beside it are refused", async () => {
  const points = "results/reference/points.csv";
  const out = join(folder, "shape.txt");
  const shape = await runCommand(["cost", "--perf-shape", points, "--out", out]);
  expect(shape).toMatchObject({ status: 0, stdout: "", stderr: "" });
  expect(readFileSync(out, "utf8")).toMatch(/^Analyze events for .*\n\n +VM-EXIT +Samples/);
  const refused = await runCommand(["cost", "--perf-shape", points, "--base", "zen2"]);
  expect(refused).toMatchObject({ status: 2, stdout: "" });
  expect(refused.stderr).toMatch(/--perf-shape.* cannot be used with .*--base/);
});

test("a course trace runs, and a broken line is quoted with its blanks", async () => {
  const args = ["run", "-e", "shadow-lazy", "--check", "-t"];
  const course = " L 10,1\r\n M 20,1\r\nI 0400d7d4,8\r\ntotal 0\r\n";
  const ran = await runCommand([...args, file("yi.trace", course)]);
  expect(ran).toMatchObject({ status: 0, stderr: "" });
  expect(ran.stdout).toContain("1 line of the program's own output skipped; page 0 has memory");
  const broken = await runCommand([...args, file("broken.trace", "I  0401ab70,3\nI  0401abg,3\n")]);
  expect(broken).toMatchObject({ status: 2, stdout: "" });
  expect(broken.stderr).toContain('line 2: line "I  0401abg,3", allowed: I, L, S or M with');
});
