import { expect, test } from "vitest";
import { runCommand } from "./run-command.ts";

test.each([
  ["bare", 4],
  ["shadow-cm", 4],
  ["nested", 24],
  ["riommu", 2],
  ["amd", 3],
])("a page that a driver has mapped is walked under %s in %i references", async (name, count) => {
  const { status, stdout } = await runCommand(["walk", "--device", name]);
  expect(stdout).toMatch(new RegExp(`^${name}: .*\n`));
  expect(stdout).toMatch(new RegExp(`^The device writes IO page .*; ${count} references$`, "m"));
  expect(status).toBe(0);
});

test("every reference of two dimensions has its line", async () => {
  const { stdout } = await runCommand(["walk", "--device", "nested"]);
  const lines = stdout.split("\n").filter((line) => /^ *\d+ {2}reads /.test(line));
  expect(lines.length).toBe(24);
  expect(lines.filter((line) => line.includes("reads first level")).length).toBe(4);
});

test.each([
  [["walk"], /^shadewalk: gva: is missing: an address as in walk 0x400000\n$/],
  [["walk", "--device", "pci"], /^shadewalk: --device "pci": unknown\. Allowed: bare, /],
  [
    ["walk", "0x1000", "--device", "bare"],
    /^shadewalk: gva "0x1000": is not used with --device\n$/,
  ],
  [["walk", "--device", "bare", "--json"], /^shadewalk: --json: is not used with --device\n$/],
])("%j is refused with one line", async (words, message) => {
  const { status, stderr } = await runCommand(words);
  expect(stderr).toMatch(message);
  expect(status).toBe(2);
});
