/**
 * The IOMMU's closed forms and its caches, by both translation units.
 */
import { describe, expect, test } from "vitest";
import type { Pfn } from "../address.ts";
import { fastMmu } from "../fast.ts";
import { PhysicalMemory } from "../memory.ts";
import { plainMmu } from "../plain/mmu.ts";
import { writeContext, writeRoot } from "./context-tables.ts";
import type { Invalidation } from "./descriptors.ts";
import { encode } from "./descriptors.ts";
import { type DmaDevice, Iommu } from "./iommu.ts";
import { type PasidEntry, writePasid, writePath } from "./pasid-tables.ts";
import { iommuPresets } from "./presets.ts";
import { GCMD_TRANSLATE } from "./registers.ts";

const source = 0x0123;
const ring = 4000 as Pfn;
const link = 3;

/** Memory with an IOMMU, tables made by hand. */
function machine(
  factory: typeof plainMmu,
  preset: keyof typeof iommuPresets,
  { scalable }: { readonly scalable: boolean },
) {
  const memory = new PhysicalMemory({ guestFrames: 4096, tableFrames: 16 });
  const capabilities = {
    cachingMode: false,
    largeLevels: [2, 3] as const,
    maskMax: 18,
    levels: 4 as const,
    writeBufferFlush: false,
    coherent: true,
  };
  const iommu = new Iommu(memory, {
    capabilities,
    preset: iommuPresets[preset],
    factory,
    scalable,
  });
  let free = 1;
  const table = () => free++ as Pfn;
  /** Links tables down to `level` and enters a leaf; flags as the format wants them. */
  const map = (
    root: Pfn,
    levels: number,
    {
      page,
      frame,
      flags,
      level = 1,
    }: { page: number; frame: number; flags: number; level?: number },
    place = (at: number) => at as Pfn,
  ) => {
    let at = root;
    for (let now = levels; now > level; now--) {
      const index = Math.floor(page / 512 ** (now - 1)) % 512;
      const low = memory.readLow(place(at), index);
      const next = low === 0 ? table() : ((low >>> 12) as Pfn);
      if (low === 0) memory.writeEntry(place(at), index, next, link | 4);
      at = next;
    }
    memory.writeEntry(place(at), Math.floor(page / 512 ** (level - 1)) % 512, frame, flags);
  };
  const root = table();
  iommu.write("RTADDR", root);
  iommu.write("IQA", ring);
  iommu.write("GCMD", GCMD_TRANSLATE);
  let tail = 0;
  const invalidate = (what: Invalidation) => {
    const [a, b, c, d] = encode(what);
    memory.write(ring, 2 * tail, a, b);
    memory.write(ring, 2 * tail + 1, c, d);
    tail += 1;
    iommu.write("IQT", tail);
  };
  const device: DmaDevice = { requestor: { source, pasid: 0 }, refused: () => "done" };
  const counted = () => {
    iommu.collect();
    const { referencesContext, referencesFirst, referencesSecond } = iommu.counts.ledger;
    return { context: referencesContext, first: referencesFirst, second: referencesSecond };
  };
  return { memory, iommu, table, map, root, invalidate, device, counted };
}

type Machine = ReturnType<typeof machine>;

function legacy(parts: Machine, levels: number, domain = 5): Pfn {
  const contextTable = parts.table();
  const second = parts.table();
  writeRoot(parts.memory, parts.root, source, contextTable);
  const entry = { type: "translate" as const, table: second, levels, domain };
  writeContext(parts.memory, contextTable, source, entry);
  return second;
}

function usePasids(parts: Machine, entry: Partial<PasidEntry>): void {
  const path = {
    root: parts.root,
    contextTable: parts.table(),
    directory: parts.table(),
    pasidTable: parts.table(),
  };
  writePath(parts.memory, source, 0, path);
  writePasid(parts.memory, path.pasidTable, 0, {
    translation: "second-level",
    domain: 5,
    first: 0,
    firstLevels: 4,
    second: 0,
    secondLevels: 4,
    secondMarks: false,
    ...entry,
  });
}

const domainFlush = {
  kind: "iotlb",
  scope: "domain",
  page: 0,
  mask: 0,
  leavesOnly: false,
} as const;
const pageFlush = { ...domainFlush, scope: "page", domain: 5 } as const;

describe.each([
  ["plain", plainMmu],
  ["fast", fastMmu],
] as const)("with %s units", (_name, factory) => {
  test.each([
    [3, 1, 3],
    [4, 1, 4],
    [5, 1, 5],
    [4, 2, 3],
    [3, 2, 2],
    [4, 3, 2],
  ])(
    "legacy, cold: %i levels to a leaf at level %i are 2 + %i references",
    (levels, level, walk) => {
      const parts = machine(factory, "textbook", { scalable: false });
      const second = legacy(parts, levels);
      parts.map(second, levels, { page: 0, frame: 0, flags: 3 | (level > 1 ? 0x80 : 0), level });
      expect(parts.iommu.access(parts.device, 7 % 512 ** (level - 1), "write")).not.toBeNull();
      expect(parts.counted()).toEqual({ context: 2, first: 0, second: walk });
    },
  );

  test.each([
    ["first-level", 4, 0],
    ["second-level", 0, 4],
  ] as const)(
    "scalable, cold: %s alone is 4 context references and 4",
    (translation, first, second) => {
      const parts = machine(factory, "textbook", { scalable: true });
      const root = parts.table();
      usePasids(parts, { translation, first: root, second: root });
      parts.map(root, 4, { page: 99, frame: 1234, flags: 0x67 });
      expect(parts.iommu.access(parts.device, 99, "write")).toBe(1234);
      expect(parts.counted()).toEqual({ context: 4, first, second });
    },
  );

  test("scalable, cold: nested 4 on 4 is 24 references, 28 with the context structures", () => {
    const parts = machine(factory, "textbook", { scalable: true });
    const second = parts.table();
    // The guest's frames lie 2048 further on.
    const place = (gfn: number) => (gfn + 2048) as Pfn;
    const first = parts.table();
    usePasids(parts, { translation: "nested", first, second });
    parts.map(first, 4, { page: 99, frame: 1000, flags: 0x67 }, place);
    for (let gfn = 0; gfn < 64; gfn++) {
      parts.map(second, 4, { page: gfn, frame: place(gfn), flags: 3 });
    }
    parts.map(second, 4, { page: 1000, frame: place(1000), flags: 3 });
    expect(parts.iommu.access(parts.device, 99, "read")).toBe(place(1000));
    expect(parts.counted()).toEqual({ context: 4, first: 4, second: 20 });
  });

  test("second-stage accessed and dirty flags are set where the PASID entry says so", () => {
    for (const secondMarks of [false, true]) {
      const parts = machine(factory, "textbook", { scalable: true });
      const second = parts.table();
      usePasids(parts, { second, secondMarks });
      parts.map(second, 4, { page: 0, frame: 1234, flags: 3 });
      parts.iommu.access(parts.device, 0, "write");
      const leaf = parts.table() - 1;
      const low = parts.memory.readLow(leaf as Pfn, 0);
      expect(low & 0x300).toBe(secondMarks ? 0x300 : 0);
    }
  });

  test("a second request walks no more, and each invalidation makes just its part cold", () => {
    const parts = machine(factory, "vt-d", { scalable: false });
    const second = legacy(parts, 4);
    for (let page = 0; page < 16; page++)
      parts.map(second, 4, { page, frame: 2000 + page, flags: 3 });
    const cost = (page: number) => {
      const before = parts.counted();
      parts.iommu.access(parts.device, page, "read");
      const after = parts.counted();
      return { context: after.context - before.context, second: after.second - before.second };
    };
    expect(cost(0)).toEqual({ context: 2, second: 4 });
    expect(cost(0)).toEqual({ context: 0, second: 0 });
    // The walk of a neighbour begins at the leaf table.
    expect(cost(1)).toEqual({ context: 0, second: 1 });
    parts.invalidate({ ...pageFlush, page: 0, mask: 0, leavesOnly: true });
    expect(cost(1).second).toBe(0);
    expect(cost(0).second).toBe(1);
    // Without the hint tables above may have changed too.
    parts.invalidate({ ...pageFlush, page: 0, mask: 0 });
    expect(cost(1).second).toBe(0);
    expect(cost(0).second).toBe(4);
    // A base off its mask means the aligned range.
    parts.invalidate({ ...pageFlush, page: 1, mask: 1, leavesOnly: true });
    expect(cost(0).second).toBe(1);
    parts.invalidate({ ...domainFlush, domain: 6 });
    expect(cost(0).second).toBe(0);
    parts.invalidate({ ...domainFlush, domain: 5 });
    expect(cost(0)).toEqual({ context: 0, second: 4 });
    parts.invalidate({ kind: "context", scope: "device", domain: 5, source });
    expect(cost(0)).toEqual({ context: 2, second: 0 });
  });

  test("64 pages stay, and a large leaf is one entry", () => {
    const parts = machine(factory, "vt-d", { scalable: false });
    const second = legacy(parts, 4);
    for (let page = 0; page < 64; page++)
      parts.map(second, 4, { page, frame: 2000 + page, flags: 3 });
    parts.map(second, 4, { page: 512, frame: 512, flags: 0x83, level: 2 });
    const pages = Array.from({ length: 64 }, (_, i) => i);
    const misses = () => {
      parts.iommu.collect();
      return parts.iommu.counts.ledger.tlbMisses;
    };
    parts.iommu.burst(parts.device, "read", pages);
    parts.iommu.burst(parts.device, "read", pages);
    expect(misses()).toBe(64);
    parts.iommu.burst(
      parts.device,
      "read",
      pages.map((page) => 512 + page),
    );
    expect(misses()).toBe(65);
    expect(parts.iommu.counts.ledger.requests).toBe(192);
  });

  test("what is refused is recorded and dropped, and nothing of it is cached", () => {
    const parts = machine(factory, "vt-d", { scalable: false });
    const { iommu, device } = parts;
    expect(iommu.access(device, 3, "read")).toBeNull();
    const second = legacy(parts, 3);
    // Not present before, and not cached: no invalidation is needed.
    parts.map(second, 3, { page: 3, frame: 2003, flags: 1 });
    expect(iommu.access(device, 3, "read")).toBe(2003);
    expect(iommu.burst(device, "write", [3])).toBeNull();
    expect(iommu.burst(device, "read", [4, 3, 2 ** 27 + 3])).toBe(2003);
    expect(iommu.faults.map(({ page, kind, cause }) => [page, kind, cause])).toEqual([
      [3, "read", "no-context"],
      [3, "write", "no-page"],
      [4, "read", "no-page"],
      [2 ** 27 + 3, "read", "no-page"],
    ]);
    expect(iommu.counts.ledger.faults).toBe(4);
  });

  test("a device that can ask for a page has it once somebody has answered", () => {
    const parts = machine(factory, "vt-d", { scalable: false });
    const second = legacy(parts, 4);
    const asked: number[] = [];
    const device: DmaDevice = {
      requestor: { source, pasid: 0 },
      refused({ page }) {
        asked.push(page);
        parts.map(second, 4, { page, frame: 2000 + page, flags: 3 });
        return "again";
      },
    };
    expect(parts.iommu.burst(device, "write", [5, 6, 5])).toBe(2005);
    expect(asked).toEqual([5, 6]);
    expect(parts.iommu.counts.ledger).toMatchObject({ pageRequests: 2, faults: 0 });
  });
});
