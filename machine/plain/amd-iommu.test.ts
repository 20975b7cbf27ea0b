/**
 * AMD's IOMMU lives the same random life as its plain twin, operation by operation: tables, commands, requests, and
 * invalidations that somebody forgets.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Pfn } from "../address.ts";
import { IommuCounts, iommuCounterNames } from "../iommu/counters.ts";
import { type AmdCommand, encodeCommand, everyPage } from "../iommu/amd/commands.ts";
import {
  AMD_IR,
  AMD_IW,
  AMD_PR,
  AMD_READ,
  AMD_WRITE,
  ANY_SIZE,
  sizedFrame,
} from "../iommu/amd/entries.ts";
import { writeDevice } from "../iommu/amd/device-table.ts";
import { AmdSilicon, deviceTableBase } from "../iommu/amd/iommu.ts";
import { iommuPresets } from "../iommu/presets.ts";
import { PhysicalMemory } from "../memory.ts";
import type { Preset } from "../presets.ts";
import { PlainAmdIommu } from "./amd-iommu.ts";

const size = { guestFrames: 4096, tableFrames: 64, slotsMax: 64 };
/** Frames of what software keeps. */
const [devices, ring, log, status] = [1, 2, 3, 4] as const;
/** Tables: a few, for any level; behind the last one is no memory. */
const tables = [8, 9, 10, 11, 12, 13, 14, 15, 4100, 5000];
const sources = [0, 3, 127, 128];

const tiny: Preset = {
  ...iommuPresets["vt-d"],
  stlb: { sets: 1, ways: 2 },
  pwc: { 2: { sets: 1, ways: 2 }, 3: { sets: 1, ways: 2 }, 4: null, 5: { sets: 1, ways: 1 } },
};
const presets = { textbook: iommuPresets.textbook, "vt-d": iommuPresets["vt-d"], tiny };

type Access = "read" | "write";
type Op =
  | {
      readonly op: "store";
      readonly table: number;
      readonly slot: number;
      readonly low: number;
      readonly high: number;
    }
  | {
      readonly op: "path";
      readonly levels: readonly number[];
      readonly picks: readonly number[];
      readonly page: number;
      readonly order: number;
      readonly rights: readonly number[];
      readonly frame: number;
      /** Whose device entry is made to fit; "nobody": none is. */
      readonly source: number | "nobody";
      /** Is the IOMMU told of it, and of the tables? */
      readonly told: boolean;
    }
  | {
      readonly op: "device";
      readonly source: number;
      readonly low: number;
      readonly high: number;
      readonly domain: number;
      readonly ats: boolean;
    }
  | { readonly op: "command"; readonly what: AmdCommand }
  /** A request that a device's own TLB has translated. */
  | {
      readonly op: "translated";
      readonly source: number;
      readonly page: number;
      readonly access: Access;
    }
  | {
      readonly op: "access";
      readonly source: number;
      /** Where; `recent` is beside one of the pages that were entered last, if there are as many. */
      readonly page: number;
      readonly recent: number | null;
      readonly offset: number;
      readonly access: Access;
    }
  | { readonly op: "register"; readonly register: "EVTHEAD" | "CONTROL"; readonly value: number };

const indexOf = (page: number, level: number) => Math.floor(page / 2 ** (9 * (level - 1))) % 512;

/** Zero above the level that it is said to need, and at many levels: skipping is common. */
const page = fc
  .tuple(
    fc.array(fc.constantFrom(0, 0, 0, 1, 2), { minLength: 6, maxLength: 6 }),
    fc.constantFrom(1, 2, 2, 3, 3, 4, 5, 6),
    fc.nat(9),
  )
  .map(([digits, levels, near]) =>
    digits.slice(0, levels).reduce((sum, digit, i) => sum + digit * 2 ** (9 * i), near),
  );
const source = fc.constantFrom(0, 0, 0, 3, 3, 127, 128);
const domain = fc.constantFrom(5, 5, 6);
const table = fc.constantFrom(...tables.slice(0, 8), ...tables);
const right = fc.constantFrom(3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 1, 2, 0);
const highRights = (rights: number) =>
  ((rights & AMD_READ) === 0 ? 0 : AMD_IR) | ((rights & AMD_WRITE) === 0 ? 0 : AMD_IW);

const store = fc
  .record({
    table: fc.constantFrom(...tables.slice(0, 8)),
    slot: fc.nat(11),
    frame: fc.oneof(table, fc.nat(4200)),
    next: fc.nat(7),
    present: fc.constantFrom(AMD_PR, AMD_PR, AMD_PR, 0),
    rights: right,
  })
  .map(({ frame, next, present, rights, ...at }): Op => {
    const low = (frame << 12) | (next << 9) | present;
    return { op: "store", ...at, low, high: highRights(rights) };
  });

/** A leaf with a table at each level above it but those that are skipped. */
const path = fc
  .record({
    top: fc.integer({ min: 1, max: 6 }),
    order: fc.integer({ min: 0, max: 11 }),
    skipped: fc.array(fc.boolean(), { minLength: 7, maxLength: 7 }),
    picks: fc.array(fc.nat(7), { minLength: 7, maxLength: 7 }),
    rights: fc.array(right, { minLength: 7, maxLength: 7 }),
    page,
    frame: fc.nat(4095),
    source: fc.constantFrom(0, 0, 3, "nobody" as const),
    told: fc.boolean(),
  })
  .map(({ top, skipped, ...rest }): Op => {
    const leafLevel = Math.floor(rest.order / 9) + 1;
    const first = Math.max(top, leafLevel);
    const levels = Array.from({ length: first }, (_, i) => first - i).filter(
      (level) =>
        level === first || level === leafLevel || (level > leafLevel && skipped[level] !== true),
    );
    return { op: "path", levels, ...rest };
  });

const device = fc
  .record({
    source: fc.constantFrom(...sources),
    root: table,
    levels: fc.constantFrom(0, 1, 2, 2, 3, 3, 4, 4, 5, 6, 7),
    valid: fc.constantFrom(3, 3, 3, 3, 3, 1, 0),
    rights: right,
    domain,
    ats: fc.boolean(),
  })
  .map(({ root, levels, valid, rights, ...rest }): Op => {
    const low = (root << 12) | (levels << 9) | valid;
    return { op: "device", ...rest, low, high: highRights(rights) };
  });

const anyCommand: fc.Arbitrary<Op> = fc
  .oneof(
    { weight: 3, arbitrary: fc.record({ kind: fc.constant("device" as const), source }) },
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant("pages" as const),
        domain,
        page,
        order: fc.constantFrom(0, 0, 0, 1, 3, 9, 10, 18, 30, 51, 52),
        tables: fc.boolean(),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant("device-tlb" as const),
        source,
        page,
        order: fc.constantFrom(0, 1, 4, 9, 51),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant("wait" as const),
        frame: fc.constant(status),
        index: fc.nat(511),
        value: fc.nat(999),
      }),
    },
  )
  .map((what) => ({
    op: "command",
    // A range is aligned to its size.
    what: "page" in what ? { ...what, page: what.page - (what.page % 2 ** what.order) } : what,
  }));

const access = fc.record({
  op: fc.constant("access" as const),
  source: fc.constantFrom(0, 0, 0, 3, 3, 127, 128),
  page,
  recent: fc.constantFrom(null, 0, 0, 0, 0, 0, 1, 1, 2, 3),
  offset: fc.constantFrom(0, 0, 1, 2, 3, 512, 513, 1024, 1025, 2 ** 18),
  access: fc.constantFrom<Access>("read", "write"),
});

const translated = fc.record({
  op: fc.constant("translated" as const),
  source,
  page,
  access: fc.constantFrom<Access>("read", "write"),
});

const register: fc.Arbitrary<Op> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      op: fc.constant("register" as const),
      register: fc.constant("EVTHEAD" as const),
      value: fc.nat(255),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      op: fc.constant("register" as const),
      register: fc.constant("CONTROL" as const),
      value: fc.constantFrom(0, 1, 1, 1),
    }),
  },
);

const op: fc.Arbitrary<Op> = fc.oneof(
  { weight: 60, arbitrary: access },
  { weight: 20, arbitrary: path },
  { weight: 8, arbitrary: store },
  { weight: 8, arbitrary: device },
  { weight: 20, arbitrary: anyCommand },
  { weight: 4, arbitrary: translated },
  { weight: 1, arbitrary: register },
);

/** One of the two, with memory of its own. */
function life(preset: Preset, isPlain: boolean) {
  const memory = new PhysicalMemory(size);
  const iommu = isPlain
    ? new PlainAmdIommu(memory, preset)
    : new AmdSilicon(memory, { preset, counts: new IommuCounts() });
  iommu.write("DEVTAB", deviceTableBase(devices, 1));
  iommu.write("CMDBASE", ring);
  iommu.write("EVTBASE", log);
  iommu.write("CONTROL", 1);
  for (const at of [0, 3]) attach(memory, at, 3);
  const entered: number[] = [];
  const travelled: unknown[] = [];
  iommu.onDeviceTlb = (what: { source: number; page: number; order: number }) => {
    travelled.push([what.source, what.page, what.order]);
  };
  let tail = 0;
  const command = (what: AmdCommand) => {
    const [a, b, c, d] = encodeCommand(what);
    memory.write(ring as Pfn, 2 * tail, a, b);
    memory.write(ring as Pfn, 2 * tail + 1, c, d);
    tail = (tail + 1) % 256;
    iommu.write("CMDTAIL", tail);
  };
  return {
    memory,
    iommu,
    travelled,
    /** What the operation gave: a frame, or null. */
    live(what: Op): number | null {
      if (what.op === "access") {
        const near = what.recent === null ? undefined : entered.at(-1 - what.recent);
        const at = near === undefined ? what.page : near + what.offset;
        return iommu.access(what.source, at, what.access);
      }
      if (what.op === "translated") {
        return iommu.takesTranslated(what.source, what.page, what.access) ? 1 : null;
      }
      if (what.op === "register") iommu.write(what.register, what.value);
      else if (what.op === "store") memory.write(what.table as Pfn, what.slot, what.low, what.high);
      else if (what.op === "path") {
        enter(memory, what);
        entered.push(what.page);
        if (what.source !== "nobody") {
          attach(memory, what.source, what.levels[0] ?? 0);
          if (what.told) {
            command({ kind: "device", source: what.source });
            command({ kind: "pages", domain: 5, page: 0, order: everyPage, tables: true });
          }
        }
      } else if (what.op === "device") {
        const index = 4 * (what.source % 128);
        memory.write(devices as Pfn, index, what.low, what.high);
        memory.write(devices as Pfn, index + 1, what.domain, what.ats ? 1 : 0);
      } else command(what.what);
      return null;
    },
  };
}

function attach(memory: PhysicalMemory, at: number, levels: number): void {
  const rights = AMD_READ | AMD_WRITE;
  writeDevice(memory, devices, at, { root: tables[0] ?? 0, levels, domain: 5, rights, ats: true });
}

function enter(memory: PhysicalMemory, way: Extract<Op, { op: "path" }>): void {
  const { levels, picks, order, rights } = way;
  const pageStart = way.page - (way.page % 2 ** order);
  for (const [i, level] of levels.entries()) {
    // The root is the one that devices begin with.
    const at = (i === 0 ? tables[0] : tables[picks[i] ?? 0]) as Pfn;
    const index = indexOf(pageStart, level);
    const high = highRights(rights[i] ?? 0);
    const next = levels[i + 1];
    if (next !== undefined) {
      const below = tables[picks[i + 1] ?? 0] ?? 0;
      // The neighbours lead there too, so that several tables are known at once.
      for (let slot = 0; slot < 3; slot++) {
        memory.write(at, (index + slot) % 512, (below << 12) | (next << 9) | AMD_PR, high);
      }
      continue;
    }
    const frame = way.frame - (way.frame % 2 ** order);
    const isSized = order % 9 !== 0;
    const named = isSized ? sizedFrame(frame, order) : frame;
    const low = (named << 12) | ((isSized ? ANY_SIZE : 0) << 9) | AMD_PR;
    // Four in a row of one that says no size, for caches that have room for fewer.
    const [count, step] = isSized ? [2 ** (order % 9), 0] : [4, 2 ** order];
    for (let slot = 0; slot < count; slot++) {
      memory.write(at, (index + slot) % 512, low + ((slot * step) << 12), high);
    }
  }
}

const wordsOf = (memory: PhysicalMemory, frame: number) =>
  Array.from({ length: 512 }, (_, index) => [
    memory.readLow(frame as Pfn, index),
    memory.readHigh(frame as Pfn, index),
  ]);

// Seen failing, each alone: a size's lowest clear bit one too high; upper rights not carried along; a device entry's rights not
// asked; PDE ignored; a skip not checked, in a walk and in a cached table; an invalidation that spares larger pages; no touch
// at a hit, of a page or of a table; an IOTLB without domains or without rights; a device entry that no command takes, one
// without V that is cached; seven levels; an address beyond the mode; sizes in the order of their coming; a device's right to
// translate (I) not asked, or read elsewhere; a range for its TLB that does not begin at its alignment.
test.each(Object.entries(presets))(
  "agree in every frame, count and event, caches: %s",
  (_name, preset) => {
    const seen = { reached: 0, refused: 0 };
    fc.assert(
      fc.property(fc.array(op, { minLength: 40, maxLength: 120, size: "max" }), (ops) => {
        const silicon = life(preset, false);
        const twin = life(preset, true);
        const [ours, theirs] = [silicon.iommu.counts.ledger, twin.iommu.counts.ledger];
        for (const [i, what] of ops.entries()) {
          const [one, other] = [silicon.live(what), twin.live(what)];
          const differs = iommuCounterNames.filter((name) => ours[name] !== theirs[name]);
          if (one !== other || differs.length > 0) {
            expect([i, what, one, differs]).toEqual([i, what, other, []]);
          }
          if (what.op === "access") seen[one === null ? "refused" : "reached"] += 1;
        }
        expect(silicon.travelled).toEqual(twin.travelled);
        expect(silicon.iommu.counts.masks).toEqual(twin.iommu.counts.masks);
        for (const frame of [log, status]) {
          expect(wordsOf(silicon.memory, frame)).toEqual(wordsOf(twin.memory, frame));
        }
      }),
      { numRuns: 200 },
    );
    expect(seen.reached).toBeGreaterThan(1000);
    expect(seen.refused).toBeGreaterThan(1000);
  },
);
