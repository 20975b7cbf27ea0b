/** Engines whose guests are not x86-64's, as a person meets them: what they run, and what refuses them in a line. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { runCommand } from "./run-command.ts";

const folder = mkdtempSync(join(tmpdir(), "shadewalk-isas-"));
afterAll(() => rmSync(folder, { recursive: true }));

const trace = join(folder, "lesson.trace");
writeFileSync(trace, "PT_WRITE 0x1000->0x5000\nACCESS 0x1000\n");
const sweep = join(folder, "levels.yaml");
writeFileSync(
  sweep,
  "title: t\nengines: [riscv-h, ept]\npresets: [textbook]\nseeds: [1]\nlevels: [3-on-3]\n" +
    "workloads: [{ workload: uniform, params: [{ pages: 8, accesses: 10 }] }]\n",
);

test.each([
  [["run", "-e", "riscv-h", "-w", "linux:true"], "the recording has entries of x86-64"],
  [["run", "-e", "riscv-h", "-w", "syscalls", "-p", "kpti=1"], "kpti is 1, allowed: 0"],
  [["run", "-e", "riscv-h", "--trace", trace], "the trace has entries of x86-64"],
  [["run", "-e", "riscv-h@ept"], "runs guests of RISC-V on hardware alone"],
  [["run", "-e", "arm-s2@ept"], "runs guests of Arm on hardware alone"],
  [["walk", "0x400000", "-e", "arm-s2", "--levels", "5-on-5"], "5 guest levels, allowed: 3, 4"],
  [["run", "-e", "ept", "--levels", "3-on-3"], "3 guest levels, allowed: 4, 5"],
  [["trace", trace, "-e", "riscv"], "entries of x86-64"],
  [["walk", "0x400000", "-e", "shadow", "--levels", "3-on-3"], "3 guest levels, allowed: 4, 5"],
  [["fuzz", "--engines", "ept,riscv-h"], "the fuzzer's others write entries of x86-64"],
  [["fuzz", "--migrations", "--engines", "riscv-h"], "live one after another"],
  [["migrate", "-e", "riscv-h"], "guests of RISC-V do not migrate here"],
  [["migrate", "-e", "riscv-h-svadu", "--mode", "postcopy"], "do not migrate here"],
  [["share", "-e", "riscv-h"], '"riscv-h": unknown'],
  [["bench", sweep, "--out", join(folder, "out")], "engine ept: 3 guest levels, allowed: 4, 5"],
])("%j is refused in a line", async (words, said) => {
  const { status, stderr } = await runCommand(words);
  expect(status).toBe(2);
  expect(stderr).toMatch(/^shadewalk: [^\n]*\n$/);
  expect(stderr).toContain(said);
});

test("the fuzzer lives lives of their kernel", async () => {
  const words = ["fuzz", "--engines", "riscv-h,arm-s2", "--ops", "150", "--seed", "3", "--quiet"];
  const { status, stdout } = await runCommand(words);
  expect(status).toBe(0);
  expect(stdout).toMatch(/^seed 3: 1 lives of a kernel, 150 ops, \d{4,} accesses checked\n$/);
});

test("several are set against the bare metal of their own machine", async () => {
  const words = ["run", "-e", "riscv-h-svadu", "-w", "uniform", "-p", "pages=64", "accesses=500"];
  const own = await runCommand([...words.with(2, "riscv-h-svadu,riscv-h"), "--levels", "3-on-3"]);
  expect(own.stdout).toMatch(/riscv-h-svadu \S+x riscv-svadu/);
  const mixed = await runCommand(words.with(2, "riscv-h,ept"));
  expect(mixed.stdout).toMatch(/riscv-h \S+x native, ept \S+x native/);
});

// Seen failing: a reader of results that knew four and five levels only.
test(
  "a sweep of three levels is priced and drawn like any other",
  { timeout: 60_000 },
  async () => {
    const own = join(folder, "own.yaml");
    writeFileSync(
      own,
      "title: t\nengines: [riscv, riscv-h]\npresets: [skylake-sp]\nseeds: [1]\nlevels: [3-on-3, 4-on-4]\n" +
        "workloads: [{ workload: uniform, params: [{ pages: 8, accesses: 10 }] }]\n",
    );
    const out = join(folder, "three");
    expect((await runCommand(["bench", own, "--out", out, "--quiet"])).status).toBe(0);
    const cost = join(import.meta.dirname, "../bench/costs/nehalem.yaml");
    const prices = await runCommand(["price", join(out, "points.csv"), "--cost", cost]);
    expect(prices.stderr).toBe("");
    expect(prices.stdout).toContain("8 rows priced by nehalem");
    expect((await runCommand(["report", out])).status).toBe(0);
  },
);
