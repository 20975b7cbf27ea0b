import { expect, test } from "vitest";
import { runCommand } from "./run-command.ts";

async function lastLine(...words: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await runCommand(words);
  expect(`${status} ${stderr}`).toBe("0 ");
  return stdout.trimEnd().split("\n").at(-1) ?? "";
}

const walk = ["walk", "0x400000", "-e", "ept"];

test.each(["2m", "2M", "2MiB", "2 MB"])("host pages of %s are of 2 MiB", async (size) => {
  expect(await lastLine(...walk, "--backing", size)).toContain("4 guest and 15 nested");
});

test.each([
  ["guest pages by their name", "--guest-pages", "2M"],
  ["guest pages by the name that they had", "--pages", "2m"],
])("%s", async (_, option, size) => {
  expect(await lastLine(...walk, option, size)).toContain("3 guest and 16 nested");
});

test("a parameter takes them too, and every text says them in one way", async () => {
  const words = ["run", "-w", "uniform", "-p", "pages=512", "accesses=100", "pageSize=2MiB"];
  const { status, stdout } = await runCommand([...words, "-e", "ept", "--backing", "2M"]);
  expect(status).toBe(0);
  expect(stdout).toContain("pageSize=2m");
  expect(stdout).toContain(", 2 MiB host pages, ");
});

test("a size that there is not is answered with those that there are", async () => {
  const { status, stderr } = await runCommand([...walk, "--backing", "3M"]);
  expect(status).toBe(2);
  expect(stderr).toBe('shadewalk: --backing "3M": unknown. Allowed: 4k, 2m, 1g\n');
});
