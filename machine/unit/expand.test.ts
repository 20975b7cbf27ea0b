/**
 * Planted bugs: a template shared by its calls, a parameter that hides what is given for another, a `return` left
 * standing, a local name that reaches into a property.
 */
import { expect, test } from "vitest";
import { nameLocally, onlyFunction, placeInline, placeTemplates } from "./expand.ts";
import { unitText } from "./join.ts";

/** What a program returns. */
function resultOf(text: string): unknown {
  // oxlint-disable-next-line typescript/no-implied-eval -- texts of this file
  return (new Function(text) as () => unknown)();
}

const least = onlyFunction(`function least(list, from) {
  if (from < 0) return -1;
  let found = from;
  while (found > 0) found = found - 1;
  return list[found] + from;
}
`);

test("an inline part does what a call of it does", () => {
  const text = `const other = [7, 8];
let sum = 0;
let x = 3;
const first = least(other, x);
x = least(other, -1);
least(other, sum);
return [first, x];`;
  const placed = placeInline(text, [least]);
  expect(placed).not.toContain("least(");
  expect(resultOf(placed)).toEqual([10, -1]);
  expect(resultOf(`${least.whole}\n${text}`)).toEqual([10, -1]);
});

test("an inline part changes what it declares as its caller's", () => {
  const grow = onlyFunction("function grow(by) {\n  size = size + by;\n}\n");
  expect(resultOf(placeInline("let size = 1;\ngrow(2);\nreturn size;", [grow]))).toBe(3);
});

test.each([
  ["a call within an expression", "const x = 1 + least(a, b);", "no statement of its own"],
  ["a call with too little", "least(a);", "takes list, from"],
  ["an argument that a parameter hides", "least(from, a);", "means another from"],
])("%s is refused", (_case, text, message) => {
  expect(() => placeInline(text, [least])).toThrow(message);
});

test("every call of a template has code of its own", () => {
  const counter = onlyFunction("function counter() {\n  let n = 0;\n  return () => (n += 1);\n}\n");
  const text = placeTemplates("const a = counter();\nconst b = counter();\na();\nreturn b();", [
    counter,
  ]);
  expect(text.split("function counter")).toHaveLength(3);
  expect(resultOf(text)).toBe(1);
});

test("local names are for variables, not for properties of the same name", () => {
  const text =
    "const low = [1];\nfunction sum() {\n  return low[0] + { low: 2 }.low;\n}\nreturn sum();";
  const named = nameLocally(text, "sum", new Set(["low"]));
  expect(named).toContain("const low$ = low;");
  expect(named).toContain("}.low");
});

test("the unit's text is its parts' and nothing of modules is left in it", () => {
  const text = unitText();
  expect(text).toContain("function descend(");
  expect(text).not.toMatch(/^(?:import|export)\b/m);
  // As for any source, what is made twice differs in nothing.
  expect(unitText()).toBe(text);
});
