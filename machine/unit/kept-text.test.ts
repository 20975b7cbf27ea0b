/** Seen failing: a text known by its files alone, so that another constant got the old one; a checksum not compared. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { keptText } from "./kept-text.ts";

let folder = "";
let made = 0;

const make = (): string => `text ${(made += 1)}\nof two lines`;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kept-text-"));
  made = 0;
});

afterEach(() => rmSync(folder, { recursive: true }));

test("a text is made once and found again", () => {
  const first = keptText("constants", make, folder);
  expect(keptText("constants", make, folder)).toBe(first);
  expect(made).toBe(1);
  // Nothing half written is left beside it.
  expect(readdirSync(folder)).toHaveLength(1);
});

test("what is made of other constants is another text", () => {
  const first = keptText("constants", make, folder);
  expect(keptText("others", make, folder)).not.toBe(first);
  expect(keptText("constants", make, folder)).toBe(first);
});

test("a text that is not whole is made again", () => {
  const first = keptText("constants", make, folder);
  const path = join(folder, readdirSync(folder)[0]!);
  writeFileSync(path, readFileSync(path, "utf8").slice(0, -3));
  const second = keptText("constants", make, folder);
  expect([first, second]).toEqual(["text 1\nof two lines", "text 2\nof two lines"]);
  expect(keptText("constants", make, folder)).toBe(second);
});

test("without a place to keep it, it is made each time", () => {
  const nowhere = join(folder, "none");
  keptText("constants", make, nowhere);
  expect(keptText("constants", make, nowhere)).toBe("text 2\nof two lines");
});
