import { expect, test } from "vitest";
import { citedIds, evaluate, readPublishedRows } from "./cost-formula.ts";

const rows = readPublishedRows();

test("a formula adds, subtracts, multiplies and divides published numbers", () => {
  expect(evaluate("AA06-043", rows)).toBe(2409);
  expect(evaluate("AA06-043 + AA06-045", rows)).toBe(4340);
  expect(evaluate("10 * AA06-047 - 80", rows)).toBe(1700);
  expect(evaluate("(DM24-079[2] + DM24-079[3]) / 2", rows)).toBe(34);
  expect(evaluate("2 + 3 * 4", rows)).toBe(14);
  expect(evaluate("  2 -3\n", rows)).toBe(-1);
});

test("an index picks one of several numbers in a row", () => {
  expect(rows.get("EX-001")?.value).toBe("1559 before, 1529 after");
  expect(evaluate("EX-001[1]", rows)).toBe(1559);
  expect(evaluate("EX-001[2]", rows)).toBe(1529);
});

test.each([
  ["XX99-001", "XX99-001 is no row of published-rows.csv"],
  ["EX-001[3]", 'EX-001 has no number 3: "1559 before, 1529 after"'],
  ["AA06-043 +", "a number or a row is missing"],
  ["(1 + 2", "a closing parenthesis is missing"],
  ["1 2", "something is left over at its end"],
  ["guess", 'cannot read "guess"'],
])("%s is refused because %s", (formula, problem) => {
  expect(evaluate(formula, rows)).toEqual({ problem: `${formula}: ${problem}` });
});

test("a number that was only recalled is no source", () => {
  const recalled = new Map([
    ["EX-005", { id: "EX-005", value: "3963", unit: "cycles", certainty: "recalled" }],
  ]);
  expect(evaluate("EX-005", recalled)).toEqual({
    problem: "EX-005: EX-005 is recalled, not read",
  });
});

test("cited ids are found wherever they stand", () => {
  expect(citedIds("(DM24-079[2] + EX-001) / 2")).toEqual(["DM24-079", "EX-001"]);
});
