import { expect, test } from "vitest";
import { perfShape } from "./perf-shape.ts";
import { syntheticRows } from "./synthetic.ts";

const { points } = syntheticRows({ engines: 6, workloads: 9, seeds: 3 });

function tableOf(workload: string, engine: string): string {
  return perfShape(points.filter(({ key }) => key.workload === workload && key.engine === engine));
}

test("a result has perf's columns, its totals, and cycles for a unit", () => {
  expect(tableOf("fork-storm", "shadow")).toBe(
    `Analyze events for fork-storm, shadow, skylake-sp, 4 KiB guest pages on 4 KiB host pages, 4-on-4 levels:

             VM-EXIT    Samples  Samples%     Time%    Min Time    Max Time         Avg time

       EXCEPTION_NMI     225600    88.26%    94.92%      1256cy      1256cy      1256cy ( +-   0.00% )
              INVLPG      18000     7.04%     3.05%       506cy       506cy       506cy ( +-   0.01% )
           CR_ACCESS      12000     4.69%     2.03%       506cy       506cy       506cy ( +-   0.01% )

Total Samples:255600, Total events handled time:298512000cy.
`,
  );
});

test("samples are the exits of all seeds, and the time is all software of the hypervisor", () => {
  const rows = points.filter(
    ({ key, region }) =>
      key.workload === "fork-storm" && key.engine === "shadow" && region === "measured",
  );
  const exits = rows.reduce((sum, { counters }) => sum + counters.exits, 0);
  const software = rows.reduce(
    (sum, { cycles }) =>
      sum + cycles.hypervisorHandlers + cycles.hypervisorWalks + cycles.hypervisorEmulation,
    0,
  );
  const [, samples, time] =
    /Total Samples:(\d+), Total events handled time:(\d+)cy/.exec(perfShape(rows)) ?? [];
  expect(Number(samples)).toBe(exits);
  expect(Number(time)).toBe(software);
});

// Seen printing EXCEPTION_NMI and CR_ACCESS on every processor.
test("AMD's processors have AMD's names, each control register its own", () => {
  const rows = points.filter(({ key }) => key.workload === "fork-storm" && key.engine === "shadow");
  const on = (preset: string, engine = "shadow") =>
    perfShape(rows.map((row) => ({ ...row, key: { ...row.key, preset, engine } })))
      .split("\n")
      .slice(4, -3)
      .map((line) => line.slice(0, 31).trim());
  const amd = ["PF excp     225600", "invlpg      18000", "write_cr3      12000"];
  expect(on("zen2")).toEqual(amd);
  expect(on("qemu-svm", "ept")).toEqual(amd);
  // Processors of a sweep's own making.
  expect(on("mine", "npt-wp")).toEqual(amd);
  expect(on("mine")).toEqual(on("skylake-sp"));
});

test("what never exits has no table", () => {
  expect(tableOf("fork-storm", "native")).toBe("No VM exits.\n");
});
