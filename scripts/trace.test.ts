/**
 * `shadewalk trace`, the first thing that a student types: what a PTE write costs under each scheme, and nothing else.
 */
import { expect, test } from "vitest";
import { runCommand } from "./run-command.ts";

const lesson = "PT_WRITE 0x1000->0x5000\nACCESS 0x1000\n";

async function said(engine: string, input = lesson): Promise<string[]> {
  const { status, stdout } = await runCommand(["trace", "-", "-v", "-e", engine], { input });
  expect(status).toBe(0);
  return stdout.trimEnd().split("\n");
}

// Seen failing: exits=8 under ept, the first uses of host memory, against 1 under shadow.
test.each([
  ["shadow", 1],
  ["shadow-vtlb", 1],
  ["shadow-lazy", 1],
  ["ept", 0],
  ["ept-pml", 0],
  ["npt", 0],
  ["kvm-tdp", 0],
  ["native", 0],
])("a PTE write and an access under %s take %i exits on a warm host", async (engine, exits) => {
  expect(await said(engine)).toContainEqual(expect.stringContaining(`[STATS] exits=${exits} `));
});

// Seen failing: `[VMM] trap -> no change in the shadow` under ept, and its count of shadow updates.
test("an engine without a shadow says nothing of one", async () => {
  const lines = await said("ept");
  expect(lines.filter((line) => /shadow/i.test(line))).toEqual([]);
  expect(lines).toContain("[STATS] PT writes: 1, TLB flushes: 0");
  expect(await said("shadow")).toContain("[STATS] PT writes: 1, shadow updates: 1, TLB flushes: 0");
});

test("the host stays warm for another table and another page, mapped over a former one", async () => {
  const more = `${lesson}PT_WRITE 0x40000000->0x3ffff000\nACCESS 0x40000008\nPT_WRITE 0x1000->0x6000\nACCESS 0x1000\n`;
  expect(await said("ept", more)).toContain("[STATS] exits=0 tlb_flushes=1");
});

// An engine that cannot show its shadow names the reason of its exit.
test("a trap under the virtual TLB has its reason", async () => {
  expect(await said("shadow-vtlb")).toContainEqual(
    expect.stringMatching(/^\[VMM\] trap -> page-fault$/),
  );
});
