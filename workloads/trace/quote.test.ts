import { expect, test } from "vitest";
import { bare, oneLine, quote, quotedLengthMax } from "./quote.ts";

// Seen failing: JSON.stringify alone, which lets C1 through: U+009B is CSI, with which ESC sequences start.
test.each([
  ["an escape sequence", "\u001b[2Jx", '"\\u001b[2Jx"'],
  ["a C1 control", "\u009b2Jx", '"\\u009b2Jx"'],
  ["every C1 control and DEL", "\u007f\u0080\u009f", '"\\u007f\\u0080\\u009f"'],
  ["a mark that turns the writing direction", "a\u202eb", '"a\\u202eb"'],
  ["line ends", "a\nb\u2028c", '"a\\nb\\u2028c"'],
  ["half a pair", "a\ud83d", '"a\\ud83d"'],
  ["letters of all kinds", "Größe 😀 ä", '"Größe 😀 ä"'],
  ["an empty word", "", '""'],
  ["a number", 0.5, "0.5"],
])("quotes %s so that a terminal only prints it", (_, value, expected) => {
  expect(quote(value)).toBe(expected);
});

// Seen failing: a binary given as a sweep, 7 KB on one line.
test("cuts what is long, between characters", () => {
  expect(quote("x".repeat(quotedLengthMax))).toBe(`"${"x".repeat(quotedLengthMax)}"`);
  expect(quote("x".repeat(1e6))).toBe(`"${"x".repeat(quotedLengthMax)}..."`);
  expect(quote("😀".repeat(61))).toBe(`"${"😀".repeat(quotedLengthMax)}..."`);
  expect(bare("k".repeat(100))).toBe(`${"k".repeat(quotedLengthMax)}...`);
});

test("makes any message one line that obeys nobody", () => {
  expect(oneLine(" a\n\tb \u009bc\u0000 ")).toBe("a b \\u009bc\\u0000");
});
