import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, describe, expect, test } from "vitest";
import { validate } from "../validate.ts";
import { replayStream } from "./replay-stream.ts";
import { modesOf, readStream, type StreamPhase } from "./stream.ts";
import type { StreamMode } from "./worlds.ts";

const streams = new URL("../../../results/groundtruth/iommu", import.meta.url).pathname;
const scratch = mkdtempSync(join(tmpdir(), "shadewalk-streams-"));
afterAll(() => rmSync(scratch, { recursive: true }));

// Seen failing with tables kept that a range covers, with a large leaf that goes over a table unsaid, and with unmapped
// ranges remembered by the hypervisor.
describe("the streams", () => {
  test.each<[string, StreamMode]>([
    ["exp", "strict"],
    ["exp", "cm"],
    ["exp2", "two"],
  ])("every count of %s in mode %s is that of real Linux and QEMU", (name, mode) => {
    const phases = readStream(join(streams, `${name}.jsonl.gz`));
    expect(modesOf(phases)).toContain(mode);
    const { compared, differences, unknownCounters } = replayStream(phases, mode);
    expect(differences).toEqual([]);
    expect(unknownCounters).toEqual([]);
    expect(compared).toBeGreaterThan(2000);
  });
});

const one = (expect_: NonNullable<StreamPhase["expect"]>): StreamPhase => ({
  w: "w",
  p: "p",
  ops: [["map", 8, 1, 0]],
  expect: expect_,
});

test("a value that is off by one is found, and one that should be 0", () => {
  const exits = { vtd_inv_qi_tail: 2, reg_write_88: 1, psi_mask_0: 1, vtd_inv_desc_wait_sw: 1 };
  const { differences } = replayStream([one({ cm: { ...exits, vtd_inv_desc: 2 } })], "cm");
  expect(differences).toEqual([
    { phase: "w p", counter: "vtd_inv_qi_tail", expected: 2, got: 1 },
    { phase: "w p", counter: "vtd_inv_desc_iotlb_pages", expected: 0, got: 1 },
    { phase: "w p", counter: "psi_pages", expected: 0, got: 1 },
  ]);
});

test("a counter that we lack is said, not hidden", () => {
  const { unknownCounters } = replayStream([one({ strict: { vtd_ats: 0 } })], "strict");
  expect(unknownCounters).toEqual(["vtd_ats"]);
});

function folderWith(name: string, bytes: Uint8Array): string {
  const folder = mkdtempSync(join(scratch, "folder-"));
  writeFileSync(join(folder, name), bytes);
  return folder;
}

const options = { workers: 1, onTrace: () => undefined };

test("a folder of streams under any names is ground truth", async () => {
  const line = JSON.stringify(one({ strict: { psi_mask_0: 1 } }));
  const folder = folderWith("held-out.jsonl.gz", gzipSync(`${line}\n`));
  const { traces, differences } = await validate(folder, options);
  expect(traces).toBe(1);
  const place = { trace: "held-out.jsonl.gz", kernel: "6.1", mode: "strict", phase: "w p" };
  expect(differences).toEqual([{ ...place, counter: "psi_mask_0", expected: 1, got: 0 }]);
});

test("a mode that nothing models is said, not hidden", async () => {
  const line = JSON.stringify(one({ lazy: { psi_mask_0: 1 }, strict: {} }));
  const { notes, differences } = await validate(folderWith("x.jsonl.gz", gzipSync(line)), options);
  expect(notes).toEqual(["kernel 6.1, mode lazy: no engine models it"]);
  expect(differences).toEqual([]);
});

test.each([
  ["no JSON", gzipSync("{"), /x\.jsonl\.gz, line 1: /],
  [
    "an operation that does not exist",
    gzipSync('{"w":"a","p":"b","ops":[["copy",1]]}'),
    /line 1: ops\.0/,
  ],
  ["a page that is none", gzipSync('{"w":"a","p":"b","ops":[["unmap",-1,1]]}'), /line 1: ops\.0/],
  [
    "a value that is no number",
    gzipSync('{"w":"a","p":"b","ops":[],"expect":{"cm":{"t_map":"1"}}}'),
    /line 1: expect\.cm\.t_map/,
  ],
  ["a file that is not compressed", Buffer.from("{}"), /x\.jsonl\.gz: /],
])("a stream with %s is refused with one line", async (_name, bytes, message) => {
  const folder = folderWith("x.jsonl.gz", bytes);
  await expect(validate(folder, options)).rejects.toThrow(message);
});
