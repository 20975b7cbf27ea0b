/**
 * Somebody's own trace from the command line: run as it is, converted, and run again.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { runCommand } from "./run-command.ts";

const folder = mkdtempSync(join(tmpdir(), "shadewalk-own-trace-"));
afterAll(() => rmSync(folder, { recursive: true }));

const accesses = Array.from({ length: 2000 }, (_, index) => {
  const address = 0x40_0000 + ((index * 7) % 300) * 4096;
  return `0x401136: ${index % 3 === 0 ? "W" : "R"} 0x${address.toString(16)}`;
});
const file = join(folder, "pinatrace.out");
writeFileSync(file, `${accesses.join("\n")}\n#eof\n`);

interface Outcome {
  readonly label: string;
  readonly checked: number;
  readonly sections: { readonly ledger: { readonly accesses: number; readonly walks: number } }[];
}

test("run reads it as it is, under the oracle, and says that it is user-only", async () => {
  const args = ["run", "-t", file, "-e", "ept", "--check", "--json"];
  const { status, stdout } = await runCommand(args);
  expect(status).toBe(0);
  const { label, checked } = JSON.parse(stdout) as Outcome;
  expect(label).toMatch(/^Pin's pinatrace: user-only/);
  expect(checked).toBeGreaterThan(4000);
});

test("convert writes a vmmu-trace of the same accesses, which all engines run", async () => {
  const out = join(folder, "program.trace");
  const converted = await runCommand(["convert", file, "-o", out]);
  expect([converted.status, converted.stdout, converted.stderr]).toEqual([0, "", ""]);
  const { stdout } = await runCommand(["run", "-t", out, "-e", "shadow,ept", "--check", "--json"]);
  const outcomes = JSON.parse(stdout) as Outcome[];
  const counted = outcomes.map(({ sections }) => sections[0]?.ledger.accesses);
  expect(counted).toEqual([4000, 4000, 4000]);
  const printed = await runCommand(["convert", file]);
  expect(printed.stdout.slice(0, 200)).toMatch(
    /^# vmmu-trace 3\n# from Pin's pinatrace: user-only, 300 pages/,
  );
});

// Seen failing: a host that was filled within the first phase, whose faults were in its cycles.
test("several engines are drawn, a case for each phase, and a populated host takes no fault in any", async () => {
  const out = join(folder, "drawn");
  const trace = join(folder, "phases.trace");
  const tables =
    "fill 200000 1 201063 0\nfill 201000 1 202063 0\nfill 202000 6 203063 1000\nfill 203000 c00 63 1000\n";
  const phases = "r 1000\nr 2000\nn 64 100\np early\nw 3000\nn 64 100\np late\n";
  writeFileSync(trace, `# vmmu-trace 4\nmemory 4000000\n${tables}boot 200000\n${phases}`);
  const args = ["run", "-t", trace, "--populated", "-o", out];
  const { status, stdout, stderr } = await runCommand([...args, "-e", "shadow,ept", "--json"]);
  expect([status, stderr]).toEqual([0, `${out}/charts/: 15 files\n`]);
  expect(stdout).not.toMatch(/"hostFaults": [1-9]/);
  const drawn = readFileSync(join(out, "charts", "slowdown.svg"), "utf8");
  for (const word of ["early", "late", "shadow", "ept"]) expect(drawn).toContain(`>${word}<`);
  expect(await runCommand([...args, "-e", "ept"])).toMatchObject({ status: 2 });
});

test.each([
  ["-", "-: a trace is read twice: give a file"],
  [join(folder, "none"), "no such file"],
])("convert %s is a mistake in one line", async (name, said) => {
  const { status, stderr } = await runCommand(["convert", name]);
  expect(status).toBe(2);
  expect(stderr).toMatch(/^shadewalk: [^\n]*\n$/);
  expect(stderr).toContain(said);
});
