import { expect, test } from "vitest";
import { fastMmu } from "../../machine/fast.ts";
import { plainMmu } from "../../machine/plain/mmu.ts";
import { differing, measureStream } from "./measure.ts";
import { expectedCounters, type YardstickStream, yardstickStreams } from "./yardstick.ts";

const short = (stream: YardstickStream): YardstickStream => ({ ...stream, accesses: 20_000 });

test("the committed counters know every stream", () => {
  for (const stream of yardstickStreams) expect(expectedCounters(stream)).toBeDefined();
});

// Seen failing with the age of an L1 victim compared the wrong way round (l1, stlb and sum differ), and with `lookAhead`
// setting A in what it loads (aset).
test("a stream counts exactly what the C program counted, checksum and walk histogram included", async () => {
  const stream = yardstickStreams.find(({ regime }) => regime === "tables beyond caches")!;
  const { counters } = await measureStream({ ...stream }, fastMmu);
  expect(differing(counters, expectedCounters(stream)!)).toEqual([]);
});

test.each(yardstickStreams.filter(({ mebibytes }) => mebibytes <= 64).map((stream) => [stream]))(
  "the fast unit and its plain twin agree on %j",
  async (stream) => {
    const fast = await measureStream(short(stream), fastMmu);
    const plain = await measureStream(short(stream), plainMmu);
    expect(differing(fast.counters, plain.counters)).toEqual([]);
  },
);

test("a differing counter is named", () => {
  expect(differing({ l1: 1, hist: [1, 2] }, { l1: 1, hist: [1, 3] })).toEqual(["hist"]);
});
