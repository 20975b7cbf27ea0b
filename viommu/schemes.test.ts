/**
 * What a mapping and its end cost under each scheme (measured rules: results/groundtruth/iommu/README.md, and the sources that
 * each scheme names).
 */
import { describe, expect, test } from "vitest";
import { dmaSchemes, type DmaSchemeName } from "./index.ts";
import { scatteredFrames, type SmallMachineOptions, smallMachine } from "./small-machine.ts";

/** Exits and calls of one mapping of `pages` scattered pages, and of its end; tables exist already. */
function pair(name: DmaSchemeName, pages: number, options: SmallMachineOptions = {}) {
  const { api, cost } = smallMachine(name, options);
  api.unmap(api.map(scatteredFrames(pages), "read-write"));
  let segments = api.map(scatteredFrames(1), "read-write");
  api.unmap(segments);
  const map = cost(() => (segments = api.map(scatteredFrames(pages), "read-write")));
  const unmap = cost(() => api.unmap(segments));
  return { map, unmap };
}

describe.each([1, 3, 16, 200])("a range of %i scattered pages", (pages) => {
  // The next larger power of two's parts, as a request to unmap has them.
  const parts = pages === 3 ? 2 : pages === 200 ? 3 : 1;

  test.each<[DmaSchemeName, SmallMachineOptions["flush"], number, number]>([
    ["bare", "strict", 0, 0],
    ["bare", "lazy", 0, 0],
    ["amd", "strict", 0, 0],
    ["amd", "lazy", 0, 0],
    ["riommu", "strict", 0, 0],
    ["pinned", "strict", 0, 0],
    ["shadow-cm", "strict", 1, 1],
    // Caching mode forces strict.
    ["shadow-cm", "lazy", 1, 1],
    // NpCache: a command per aligned part and one to wait, each with its own write; strict as well.
    ["shadow-np", "strict", 1 + parts, 1 + parts],
    ["shadow-np", "lazy", 1 + parts, 1 + parts],
    ["shadow-wp", "strict", pages, pages + 1],
    ["shadow-wp", "lazy", pages, pages],
    ["shadow-pri", "strict", 0, 1],
    ["shadow-pri", "lazy", 0, 0],
    ["nested", "strict", 0, 1],
    ["nested", "lazy", 0, 0],
    ["virtio", "lazy", 1, 0],
    ["virtio", "strict", 1, 1],
    // Pinned by the first time.
    ["coiommu", "strict", 0, 0],
    ["optimistic", "strict", 0, 0],
    ["sidecore", "strict", 0, 0],
    ["shadow-buffers", "strict", 0, 0],
  ])("%s, %s: %i exits to map, %i to unmap", (name, flush = "strict", mapExits, unmapExits) => {
    const { map, unmap } = pair(name, pages, { flush });
    // A virtqueue of 128 requests goes when it is full.
    const full = name === "virtio" && pages === 200 ? 1 : 0;
    expect([map.exits, unmap.exits]).toEqual([mapExits + full, unmapExits]);
  });

  test("the host's calls: one per leaf when tables are walked, one per aligned part of a request", () => {
    const shadow = pair("shadow-cm", pages);
    expect([shadow.map.hostCalls, shadow.unmap.hostCalls]).toEqual([pages, pages]);
    const asked = pair("virtio", pages);
    expect([asked.map.hostCalls, asked.unmap.hostCalls]).toEqual([pages, parts]);
    // What the host's own IOMMU is told is the same: a range goes by each earlier call.
    expect(asked.unmap.hostSubmissions).toBe(pages);
    expect(shadow.unmap.hostSubmissions).toBe(pages);
  });
});

test("64 KiB that follow each other: 16 calls and 16 invalidations by walk, one and one by request", () => {
  for (const [name, calls, submissions] of [
    ["shadow-cm", 16, 16],
    ["virtio", 1, 1],
    // AMD's entries are one page of 64 KiB; the host's driver writes its tail for a command and for a wait.
    ["shadow-np", 1, 2],
  ] as const) {
    const { api, cost } = smallMachine(name, { backing: "2m" });
    const run = [{ frame: 4096, pages: 16 }];
    let segments = api.map(run, "read-write");
    api.unmap(segments);
    expect(cost(() => (segments = api.map(run, "read-write"))).hostCalls).toBe(calls);
    const unmap = cost(() => api.unmap(segments));
    expect([unmap.hostCalls, unmap.hostSubmissions]).toEqual([calls, submissions]);
  }
});

test("scattered pages are one range behind an IOMMU, and a segment each without", () => {
  for (const name of Object.keys(dmaSchemes) as DmaSchemeName[]) {
    const { api } = smallMachine(name);
    // A ring has an entry per run.
    const isDirect = dmaSchemes[name].protects === "guest" || name === "riommu";
    const segments = api.map(scatteredFrames(12), "read");
    expect(segments.length).toBe(isDirect ? 12 : 1);
  }
});

describe("a device that comes after its unmap", () => {
  /** Frames that the device reached: before the unmap (if at all), 3 ms after, 50 ms after. */
  function late(flush: "strict" | "lazy", isCached: boolean) {
    const { api, machine, device } = smallMachine("bare", { flush });
    const segments = api.map(scatteredFrames(1), "read-write");
    const page = segments[0]?.page ?? 0;
    if (isCached) machine.iommu.access(device, page, "write");
    api.unmap(segments);
    machine.clock.advance(3000);
    const soon = machine.iommu.access(device, page, "write");
    machine.clock.advance(47_000);
    return [soon, machine.iommu.access(device, page, "write")];
  }

  test("lazy: what was cached is reached until the flush, the rest faults at once", () => {
    expect(late("lazy", true)).toEqual([4096, null]);
    expect(late("lazy", false)).toEqual([null, null]);
  });

  test("strict: always a fault", () => {
    expect(late("strict", true)).toEqual([null, null]);
    expect(late("strict", false)).toEqual([null, null]);
  });
});

test("only what devices use is pinned by shadows; all of memory by nested and by none", () => {
  const peak = (name: DmaSchemeName) => {
    const { machine, api } = smallMachine(name);
    machine.pages.forgetPeak();
    api.map(scatteredFrames(40), "read-write");
    return machine.pages.pinnedPeak;
  };
  expect(peak("shadow-cm")).toBe(40);
  expect(peak("coiommu")).toBe(40);
  // Nothing has asked yet.
  expect(peak("shadow-pri")).toBe(0);
  expect(peak("pinned")).toBe(8192);
  expect(peak("nested")).toBe(8192);
});

test("coIOMMU unpins what has been idle for two scans, not what is mapped", () => {
  const { machine, api } = smallMachine("coiommu");
  const idle = api.map(scatteredFrames(8), "read");
  api.map([{ frame: 6000, pages: 4 }], "read");
  api.unmap(idle);
  expect(machine.pages.pinned).toBe(12);
  machine.clock.advance(25_000);
  expect(machine.pages.pinned).toBe(12);
  machine.clock.advance(25_000);
  expect(machine.pages.pinned).toBe(4);
});

test("a cold walk takes 4 references of a shadow's tables, 3 of AMD's and 24 nested ones", () => {
  for (const [name, walk] of [
    ["shadow-cm", 2 + 4],
    // A device entry, and three levels.
    ["shadow-np", 1 + 3],
    ["amd", 1 + 3],
    ["nested", 4 + 24],
  ] as const) {
    const { machine, api, device } = smallMachine(name, { preset: "textbook" });
    const page = api.map(scatteredFrames(1), "read")[0]?.page ?? 0;
    machine.access(device, page, "read");
    machine.iommu.collect();
    const { referencesContext, referencesFirst, referencesSecond } = machine.iommu.counts.ledger;
    expect(referencesContext + referencesFirst + referencesSecond).toBe(walk);
  }
});
