import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { runCommand } from "./run-command.ts";

const reference = join(import.meta.dirname, "../results/reference");
const folder = mkdtempSync(join(tmpdir(), "shadewalk-compare-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** A copy of the reference whose points file went through `change`. */
function changed(name: string, change: (lines: string[]) => string[]): string {
  const copy = join(folder, name);
  // Checksums would say that somebody changed it.
  for (const one of ["points.csv", "walks.csv"]) cpSync(join(reference, one), join(copy, one));
  const file = join(copy, "points.csv");
  writeFileSync(file, change(readFileSync(file, "utf8").split("\n")).join("\n"));
  return copy;
}

test("a result compared with itself has no difference, in whatever order its lines are", async () => {
  const turned = changed("turned", ([header = "", ...lines]) => {
    return [header, ...lines.filter((line) => line !== "").toReversed(), ""];
  });
  const { status, stdout } = await runCommand(["compare", reference, turned]);
  expect([status, stdout]).toEqual([0, "no difference\n"]);
});

// Seen failing: with differences below ten passed over.
test("one count that moved by one is found, named and is exit code 1", async () => {
  const moved = changed("moved", ([header = "", first = "", ...lines]) => {
    const after = first.replace(",30,14394,", ",30,14395,");
    expect(after).not.toBe(first);
    return [header, after, ...lines];
  });
  const { status, stdout } = await runCommand(["compare", reference, moved]);
  expect(status).toBe(1);
  expect(stdout).toMatch(/^1 counters moved:\n {2}accesses: in 1 rows, most in native /);
});

test("a row that only one has is named", async () => {
  const short = changed("short", (lines) => lines.filter((line) => !line.startsWith("0,")));
  const { status, stdout } = await runCommand(["compare", reference, short]);
  // Its walks belong to no point any more.
  expect([status, stdout]).toEqual([2, ""]);
  const without = changed("without", (lines) => lines.filter((line) => !line.startsWith("0,")));
  const walks = join(without, "walks.csv");
  const kept = readFileSync(walks, "utf8")
    .split("\n")
    .filter((line) => !line.startsWith("0,"));
  writeFileSync(walks, kept.join("\n"));
  const two = await runCommand(["compare", reference, without, "--json"]);
  expect(two.status).toBe(1);
  expect(JSON.parse(two.stdout)).toMatchObject({ onlyAfter: [] });
  expect((JSON.parse(two.stdout) as { onlyBefore: string[] }).onlyBefore).toHaveLength(2);
});

test("a folder without results is a mistake in one line", async () => {
  const { status, stderr } = await runCommand(["compare", reference, join(folder, "none")]);
  expect(status).toBe(2);
  expect(stderr).toMatch(/^shadewalk: results ".*none": no points\.csv; .*\n$/);
});

test("price says what moved", async () => {
  const out = join(folder, "priced.csv");
  const points = join(reference, "points.csv");
  const { status, stdout } = await runCommand(["price", points, "--cost", "p4-vtx", "--out", out]);
  expect(status).toBe(0);
  expect(stdout).toMatch(
    /rows priced by p4-vtx\n\n\d+ geometric means of slowdowns changed:\n {2}/,
  );
  const same = await runCommand([
    "price",
    out,
    "--cost",
    "p4-vtx",
    "-o",
    join(folder, "again.csv"),
  ]);
  expect(same.stdout).toMatch(/rows priced by p4-vtx: nothing moved\n$/);
});
