import { join } from "node:path";
import { expect, test } from "vitest";
import { IovaAllocator } from "../../../linux/iommu/iova.ts";
import { readStream } from "./stream.ts";

const streams = new URL("../../../results/groundtruth/iommu", import.meta.url).pathname;

/** The measured machine's reserved pages: windows of its PCI bridge, and where interrupts are written. */
const reserved = [
  { page: 0xa0, pages: 0x20 },
  { page: 0x8_0000, pages: 0x3_0000 },
  { page: 0xc_0000, pages: 0x3_ec00 },
  { page: 0xf_ee00, pages: 0x100 },
];

// Seen failing with magazines of 128, and with the oldest of a magazine given out first.
test.each([
  ["exp", 34_194],
  ["exp2", 1_636],
])("the IO pages of %s, all %i, are the allocator's, one by one", (name, count) => {
  const allocator = new IovaAllocator(reserved);
  let same = 0;
  for (const { ops } of readStream(join(streams, `${name}.jsonl.gz`))) {
    for (const [kind, page, pages] of ops) {
      if (kind === "unmap") allocator.free(page);
      else if (allocator.allocate(pages) === page) same += 1;
      else expect.fail(`IO page ${page} is not the ${same}th one`);
    }
  }
  expect(same).toBe(count);
});
