import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import { expect, test } from "vitest";
import { publishedScore } from "./score.ts";

const root = join(import.meta.dirname, "../..");
const lines = parse<{ readonly class: string; readonly verdict: string }>(
  readFileSync(join(root, "results/published/published.csv")),
  { columns: true },
).filter(({ verdict }) => verdict === "met" || verdict === "missed");

function scoreOf(kind: string) {
  const own = lines.filter((line) => line.class === kind);
  return {
    compared: own.length,
    met: own.filter(({ verdict }) => verdict === "met").length,
  };
}

test("the score that the argument tells is that of the table", () => {
  expect(publishedScore).toEqual({
    measured: scoreOf("c"),
    counted: scoreOf("b"),
    exact: scoreOf("a"),
  });
});

test("the README tells the same", () => {
  const { compared, met } = publishedScore.measured;
  expect(readFileSync(join(root, "README.md"), "utf8")).toContain(`${met} of ${compared} `);
});
