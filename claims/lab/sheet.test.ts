import { expect, test } from "vitest";
import { ConfigError } from "../../bench/input/config-error.ts";
import { entryAddress, entryValue, runOps } from "./run-ops.ts";
import { grade, makeSheet } from "./sheet.ts";

const choice = { seed: 7, count: 6 };
const sheet = makeSheet(choice);

test("a seed has one sheet, and another seed another", () => {
  expect(makeSheet(choice)).toEqual(sheet);
  expect(makeSheet({ ...choice, seed: 8 })).not.toEqual(sheet);
});

test("no question tells its answer: another seed's answers fail", () => {
  const others = makeSheet({ ...choice, seed: 8 });
  const text = others.map(({ answer }, index) => `${index + 1}: ${answer}`).join("\n");
  expect(grade(sheet, text, "a.txt").some(({ isRight }) => !isRight)).toBe(true);
});

test("answers of sixty exercises are whole numbers, and not all the same", () => {
  const answers = makeSheet({ seed: 1, count: 60 }).map(({ answer }) => answer);
  expect(answers.every((answer) => Number.isInteger(answer) && answer >= 0)).toBe(true);
  expect(new Set(answers).size).toBeGreaterThan(8);
});

test("under trap-on-write each entry store, INVLPG and CR3 load exits once", () => {
  const page = 0x10;
  const ops = [
    `s ${entryAddress(page)} ${entryValue(page, "read-only")}`,
    `s ${entryAddress(page)} ${entryValue(page, "writable")}`,
    "i 10000",
    "c 200000",
    "r 10000",
  ];
  const before = ["w 10000", `r ${entryAddress(page)}`];
  expect(runOps({ engine: "shadow", before, ops }).exits).toBe(4);
  expect(runOps({ engine: "ept", before, ops }).exits).toBe(0);
  expect(runOps({ engine: "native", before, ops }).exits).toBe(0);
});

test("marks: right, wrong, not answered, comments and separators", () => {
  const right = sheet[0]?.answer ?? 0;
  const marks = grade(sheet, `# mine\n1: ${right}\n2 = 9999  # a guess\n`, "a.txt");
  expect(marks.slice(0, 3)).toEqual([
    { number: 1, given: right, isRight: true },
    { number: 2, given: 9999, isRight: false },
    { number: 3, given: null, isRight: false },
  ]);
});

test.each([
  ["1: many", 'a.txt:1: "1: many": must be'],
  ["\n7: 1", "a.txt:2: exercise 7: must be from 1 to 6"],
  ["1: 1\n1: 2", "a.txt:2: exercise 1: answered twice"],
])("a line that is no answer is named: %j", (text, message) => {
  expect(() => grade(sheet, text, "a.txt")).toThrow(ConfigError);
  expect(() => grade(sheet, text, "a.txt")).toThrow(message);
});
