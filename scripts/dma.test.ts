import { expect, test } from "vitest";
import { runCommand } from "./run-command.ts";

test("schemes are compared, and the oracle says that all accesses were right", async () => {
  const { status, stdout } = await runCommand(["dma", "-p", "packets=300", "--check"]);
  expect(stdout).toMatch(/^shadow-cm +\d+ +2\.00/m);
  expect(stdout).toMatch(/^nested +\d+ +1\.00/m);
  expect(stdout).toMatch(/The oracle checked \d+ accesses: 0 went wrong\.$/m);
  expect(status).toBe(0);
});

test("comma-separated values have a row per scheme", async () => {
  const words = ["dma", "pinned,bare", "-w", "stream-reader", "-p", "pages=600", "reads=1000"];
  const { status, stdout } = await runCommand([...words, "--csv"]);
  const [header, ...rows] = stdout.trimEnd().split("\n");
  expect(header).toMatch(/^scheme,program,flush,family,exits,/);
  expect(rows.map((row) => row.split(",")[0])).toEqual(["pinned", "bare"]);
  expect(status).toBe(0);
});

test("fuzzed devices are judged under both ways to flush", async () => {
  const { status, stdout } = await runCommand(["dma", "nested,virtio", "--fuzz", "1", "-s", "5"]);
  const lines = stdout.trimEnd().split("\n");
  expect(lines.map((line) => line.split(":")[0])).toEqual([
    "nested strict",
    "nested lazy",
    "virtio strict",
    "virtio lazy",
  ]);
  for (const line of lines) expect(line).toMatch(/: 1 seeds, \d+ mappings, \d+ accesses .*: ok$/);
  expect(status).toBe(0);
});

test.each([
  ["what --fuzz does not use", ["dma", "--fuzz", "1", "--csv"], /--csv: is not used with --fuzz/],
  ["a scheme", ["dma", "shadow"], /schemes "shadow": unknown\. .*Allowed: bare, /],
  ["a program", ["dma", "-w", "nic"], /--workload "nic": unknown/],
  ["a parameter", ["dma", "-p", "slots=0"], /--param slots: 0: must be a whole number from 1/],
  ["a scenario", ["dma", "--scenario", "hidden"], /--scenario "hidden": unknown\. .*Allowed: /],
  ["a scheme of a scenario", ["dma", "bare", "--scenario", "msix"], /schemes: --scenario has its/],
  ["too much memory", ["dma", "-p", "slots=1000000"], /pages of buffers: must be at most 524288/],
])("%s that cannot be is refused with one line", async (_what, words, message) => {
  const { status, stderr } = await runCommand(words);
  expect(stderr).toMatch(message);
  expect(stderr.trimEnd().split("\n").length).toBe(1);
  expect(status).toBe(2);
});
