/**
 * docs/results.ipynb: its cells run in order on a real result, with nothing but Python, and draw two figures.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { TopLevelSpec } from "vega-lite";
import { expect, test } from "vitest";
import { svgOf } from "../report/render.ts";

const repository = join(import.meta.dirname, "..");

interface Notebook {
  readonly cells: readonly { readonly cell_type: string; readonly source: readonly string[] }[];
}

const { cells } = JSON.parse(
  readFileSync(join(repository, "docs/results.ipynb"), "utf8"),
) as Notebook;
const code = cells
  .filter((cell) => cell.cell_type === "code")
  .map(({ source }) => source.join(""))
  .join("\n\n");
const hasPython = spawnSync("python3", ["--version"]).status === 0;

// A machine without Python has nobody who would open a notebook.
test.skipIf(!hasPython)("the notebook loads a result and draws two figures", async () => {
  const ending = "\nimport json\nprint(json.dumps(figures))\n";
  const { stdout, stderr, status } = spawnSync("python3", ["-c", code + ending], {
    encoding: "utf8",
    env: { ...process.env, RESULTS: join(repository, "results/reference") },
  });
  expect([status, stderr]).toEqual([0, ""]);
  const figures = JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "") as TopLevelSpec[];
  expect(figures.map(({ title }) => title)).toEqual([
    "Slowdown over native",
    "Where the cycles go",
  ]);
  for (const figure of figures) {
    expect((await svgOf(figure)).match(/<path/g)?.length).toBeGreaterThan(8);
  }
  const [slowdown] = figures as unknown as { data: { values: { engine: string }[] } }[];
  expect(slowdown?.data.values.map(({ engine }) => engine)).toContain("shadow-lazy");
});

test("the notebook is committed without outputs", () => {
  expect(JSON.stringify(cells)).not.toMatch(/"outputs":\[[^\]]/);
});

test("the container copies what there is, before anything is installed", () => {
  const text = readFileSync(join(repository, "Containerfile"), "utf8");
  const copied = [...text.matchAll(/^COPY (.+) \S+$/gm)].flatMap(([, names = ""]) =>
    names.split(" "),
  );
  expect(copied).toContain("package-lock.json");
  for (const name of copied.filter((one) => one !== ".")) {
    expect(readFileSync(join(repository, name)).length).toBeGreaterThan(0);
  }
});
