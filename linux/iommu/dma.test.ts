import { expect, test } from "vitest";
import { DmaClock } from "./clock.ts";
import { LinuxDma } from "./dma.ts";
import { IovaAllocator } from "./iova.ts";
import { testDriver } from "./test-driver.ts";

function guest(flush: "strict" | "lazy") {
  const driver = testDriver();
  const clock = new DmaClock();
  const allocator = new IovaAllocator([]);
  const dma = new LinuxDma({ domain: driver.iommu.createDomain(), allocator, clock, flush });
  return { ...driver, clock, dma };
}

const onePage = [{ frame: 77, pages: 1 }];

/** Mappings that exist, unmapped one after another, `microseconds` each; then everything comes to rest. */
function unmapCost(count: number, microseconds: number) {
  const { dma, clock, cost } = guest("lazy");
  const pages = Array.from({ length: count }, () => dma.map(onePage, "read-write"));
  return cost(() => {
    for (const page of pages) {
      dma.unmap(page);
      clock.advance(microseconds);
    }
    clock.advance(1_000_000);
  });
}

test("4096 lazy unmaps within 10 ms are 16 full queues and a timer: 17 exits", () => {
  const { exits, sent } = unmapCost(4096, 2);
  expect(exits).toBe(17);
  expect(sent.every((what) => what.kind === "iotlb" && what.scope === "domain")).toBe(true);
});

test("1000 lazy unmaps in 15 ms are 3 full queues and two timers: 5 exits", () => {
  expect(unmapCost(1000, 15).exits).toBe(5);
});

test("strict, the same are an exit each", () => {
  const { dma, cost } = guest("strict");
  const pages = Array.from({ length: 1000 }, () => dma.map(onePage, "read-write"));
  expect(cost(() => pages.forEach((page) => dma.unmap(page))).exits).toBe(1000);
});

test.each([
  [255, 1],
  [256, 2],
  [510, 2],
  [511, 3],
])("%i unmaps from an empty queue, at once, are %i flushes", (count, flushes) => {
  expect(unmapCost(count, 0).exits).toBe(flushes);
});

test("a lazily unmapped range is not used again before the flush, a strict one at once", () => {
  for (const [flush, isSame] of [
    ["lazy", false],
    ["strict", true],
  ] as const) {
    const { dma, clock } = guest(flush);
    const page = dma.map(onePage, "read");
    dma.unmap(page);
    const next = dma.map(onePage, "read");
    expect(next[0]?.page === page[0]?.page).toBe(isSame);
    dma.unmap(next);
    clock.advance(10_000);
    const again = [dma.map(onePage, "read"), dma.map(onePage, "read")];
    expect(again.some((one) => one[0]?.page === page[0]?.page)).toBe(true);
  }
});

test("timers run in the order in which they are due", () => {
  const clock = new DmaClock();
  const ran: string[] = [];
  clock.after(20, () => ran.push("late"));
  clock.after(10, () => {
    ran.push("first");
    clock.after(5, () => ran.push("from a timer"));
  });
  clock.after(10, () => ran.push("second"));
  clock.advance(15);
  expect(ran).toEqual(["first", "second", "from a timer"]);
  clock.advance(5);
  expect(ran.at(-1)).toBe("late");
  expect(clock.now).toBe(20);
});
