/**
 * The committed reference result comes out again, byte by byte, whatever the number of workers.
 */
import { spawnSync } from "node:child_process";
import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";

const reference = join(import.meta.dirname, "../results/reference");
const compared = ["*.csv", "manifest.json", "charts/*.vl.json"];

function filesOf(folder: string): Record<string, string> {
  const names = globSync(compared, { cwd: folder }).toSorted();
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(folder, name), "utf8")]));
}

// Seen failing: a worker that adds its thread number to the seed.
test.each([1, 2])("the reference sweep gives the committed bytes with %i workers", (workers) => {
  const out = mkdtempSync(join(tmpdir(), "shadewalk-reference-"));
  onTestFinished(() => rmSync(out, { recursive: true }));
  const command = join(import.meta.dirname, "shadewalk.ts");
  const options = ["--out", out, "--workers", String(workers), "--quiet"];
  const { status, stderr } = spawnSync(
    process.execPath,
    [command, "bench", "reference", ...options],
    {
      encoding: "utf8",
    },
  );
  expect(stderr).toBe("");
  expect(status).toBe(0);
  const made = filesOf(out);
  const committed = filesOf(reference);
  expect(Object.keys(made)).toEqual(Object.keys(committed));
  // Name by name: a difference of whole files would fill the screen.
  const changed = Object.keys(made).filter((name) => made[name] !== committed[name]);
  expect(changed, "regenerate as results/reference/README.md says, and say why").toEqual([]);
});
