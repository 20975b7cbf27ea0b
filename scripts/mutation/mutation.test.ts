/** What a mutation run chooses and says, without Stryker: the sample, the lines of a diff, the score. */
import { expect, test } from "vitest";
import { changedLines, filesOfRooms } from "./choose.ts";
import type { Mutant } from "./mutants.ts";
import { readKnown } from "./known.ts";
import { sample } from "./sample.ts";
import { mutantLine, type Outcome, roomOf, scoreLines, scoreRooms, type Status } from "./score.ts";
import { messages } from "./stryker-plugin.ts";

function mutant(file: string, id: string): Mutant {
  const at = { start: { line: 3, column: 4 }, end: { line: 3, column: 9 } };
  return { file, id, at, mutator: "EqualityOperator", original: "a < b", replacement: "a <= b" };
}

const many = ["a.ts", "b.ts", "c.ts"].flatMap((file, f) =>
  Array.from({ length: [60, 30, 10][f] ?? 0 }, (_, i) => mutant(file, `${file} ${i}`)),
);

test("a sample spreads over the files as the mutants do, and a seed chooses it", () => {
  const chosen = sample(many, 20, "1");
  const of = (file: string) => chosen.filter((one) => one.file === file).length;
  expect([of("a.ts"), of("b.ts"), of("c.ts")]).toEqual([12, 6, 2]);
  expect(new Set(chosen.map(({ id }) => id)).size).toBe(20);
  expect(sample(many.toReversed(), 20, "1")).toEqual(chosen);
  expect(sample(many, 20, "2")).not.toEqual(chosen);
  expect(sample(many, 1000, "1")).toHaveLength(100);
});

test("a file that grows changes few choices in the others", () => {
  const grown = [...many, mutant("b.ts", "b.ts new")];
  const before = new Set(sample(many, 50, "1").map(({ id }) => id));
  const kept = sample(grown, 50, "1").filter(({ id }) => before.has(id));
  expect(kept.length).toBeGreaterThan(40);
});

test("the changed lines of a diff are the new ones", () => {
  const diff = [
    "--- a/machine/x.ts",
    "+++ b/machine/x.ts",
    "@@ -3 +3,2 @@ function",
    "-old",
    "+new",
    "+more",
    "@@ -10,2 +11,0 @@",
    "-gone",
    "-gone",
    "--- a/machine/y.ts",
    "+++ b/machine/y.ts",
    "@@ -1,0 +2 @@",
    "+new",
  ];
  expect([...changedLines(diff.join("\n"))]).toEqual([
    ["machine/x.ts", [{ from: 3, to: 4 }]],
    ["machine/y.ts", [{ from: 2, to: 2 }]],
  ]);
});

test("a score counts survivors and what nothing covers, and leaves out equal and static mutants", () => {
  const outcomes = (
    ["killed", "killed", "survived", "uncovered", "static", "survived"] as const
  ).map((status: Status, i): Outcome => ({ file: "machine/x.ts", id: `m${i}`, status }));
  const elsewhere: Outcome = { file: "guest/x.ts", id: "g", status: "killed" };
  const scores = scoreRooms([...outcomes, elsewhere], (id) => id === "m5");
  expect(scores[0]).toMatchObject({
    killed: 2,
    survived: 3,
    equivalent: 1,
    unscored: 1,
    percent: 50,
  });
  expect(scoreLines(scores)).toEqual([
    "machine, engines: 50.0 % killed (2 of 4, goal 90 %); apart: 1 equivalent, 1 static",
    "elsewhere: 100.0 % killed (1 of 1, goal 85 %)",
  ]);
  expect(mutantLine(mutant("machine/x.ts", "m"))).toBe(
    "machine/x.ts:3:5 EqualityOperator: a < b -> a <= b",
  );
});

test("mutants are planted in the product and not in what only tests use", () => {
  const files = filesOfRooms();
  expect(files).toContain("machine/vcpu.ts");
  expect(files).toContain("bench/costs/cost.ts");
  expect(files).toContain("workloads/trace/vmmu.ts");
  expect(files.filter((file) => /test|fixtures|fuzz-/.test(file))).toEqual([]);
  expect(files.every((file) => roomOf(file) !== undefined)).toBe(true);
});

test("the words of an error are no behaviour, those of anything else are", () => {
  const word = { type: "StringLiteral" };
  const inside = (node: object, key: unknown) =>
    messages.shouldIgnore({
      node: word,
      key,
      parentPath: { node, key: 0, parentPath: null },
    } as never);
  const call = (name: string) => ({ type: "CallExpression", callee: { name } });
  const made = (name: string) => ({ type: "NewExpression", callee: { name } });
  expect(inside(made("ConfigError"), 0)).toBe("a message");
  expect(inside(call("assert"), 1)).toBe("a message");
  const late = { type: "ArrowFunctionExpression" };
  const path = {
    node: late,
    key: 1,
    parentPath: { node: call("assert"), key: 0, parentPath: null },
  };
  expect(messages.shouldIgnore(path)).toBe("a message");
  expect([inside(call("assert"), 0), inside(call("run"), 0), inside(made("Map"), 0)]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
});

test("every survivor on the list has a reason", () => {
  for (const { reason } of readKnown().values()) expect(reason.length).toBeGreaterThan(20);
});
