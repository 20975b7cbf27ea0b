/**
 * AMD's walker against closed forms, and against what tables were made to say.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Pfn } from "../../address.ts";
import { PhysicalMemory } from "../../memory.ts";
import { IommuCounts } from "../counters.ts";
import { iommuPresets } from "../presets.ts";
import { encodeCommand } from "./commands.ts";
import { writeDevice } from "./device-table.ts";
import { AMD_IR, AMD_IW, AMD_PR, AMD_READ, AMD_WRITE, ANY_SIZE, sizedFrame } from "./entries.ts";
import { readEvents } from "./events.ts";
import { AmdSilicon, deviceTableBase } from "./iommu.ts";

const source = 5;
const domain = 9;
const both = AMD_READ | AMD_WRITE;

function machine(preset: keyof typeof iommuPresets = "textbook") {
  const memory = new PhysicalMemory({ guestFrames: 4096, tableFrames: 512 });
  const counts = new IommuCounts();
  const silicon = new AmdSilicon(memory, { preset: iommuPresets[preset], counts });
  const [devices, ring, log, root] = [0, 0, 0, 0].map(() => memory.allocateTable());
  silicon.write("DEVTAB", deviceTableBase(devices!, 1));
  silicon.write("CMDBASE", ring!);
  silicon.write("EVTBASE", log!);
  silicon.write("CONTROL", 1);
  let tail = 0;
  const forget = (order: number, tables: boolean, page = 0) => {
    const [a, b, c, d] = encodeCommand({ kind: "pages", domain, page, order, tables });
    memory.write(ring!, 2 * tail, a, b);
    memory.write(ring!, 2 * tail + 1, c, d);
    silicon.write("CMDTAIL", ++tail);
  };
  const attach = (levels: number, rights = both) =>
    writeDevice(memory, devices!, source, { root: root!, levels, domain, rights, ats: false });
  const events = () => readEvents(memory, log!, { head: 0, tail: silicon.events.writtenTo });
  return { memory, silicon, root: root!, log: log!, attach, forget, events };
}

type Machine = ReturnType<typeof machine>;

interface Way {
  /** Levels of the tables on the way, the leaf's last: falling. */
  readonly levels: readonly number[];
  /** log2 of the page. */
  readonly order: number;
}

/** Enters `page` along `levels`, a table for each; `page` has zeros where levels are skipped. */
function enter({ memory, root }: Machine, { levels, order }: Way, page: number, frame: number) {
  let table: Pfn = root;
  for (const [i, level] of levels.entries()) {
    const index = Math.floor(page / 2 ** (9 * (level - 1))) % 512;
    const next = levels[i + 1];
    if (next !== undefined) {
      const below = memory.allocateTable();
      memory.write(table, index, (below << 12) | (next << 9) | AMD_PR, AMD_IR | AMD_IW);
      table = below;
      continue;
    }
    const isSized = order % 9 !== 0;
    const count = 2 ** (order % 9);
    const named = isSized ? sizedFrame(frame, order) : frame;
    const low = (named << 12) | ((isSized ? ANY_SIZE : 0) << 9) | AMD_PR;
    const first = index - (index % count);
    for (let slot = first; slot < first + count; slot++) {
      memory.write(table, slot, low, AMD_IR | AMD_IW);
    }
  }
}

const references = ({ silicon }: Machine) => {
  const { referencesContext, referencesSecond } = silicon.counts.ledger;
  return referencesContext + referencesSecond;
};

describe("a cold walk reads the device entry and a table per level", () => {
  test.each([1, 2, 3, 4, 5, 6])("mode %i", (mode) => {
    const one = machine();
    one.attach(mode);
    const levels = Array.from({ length: mode }, (_, i) => mode - i);
    enter(one, { levels, order: 0 }, 7, 1234);
    expect(one.silicon.access(source, 7, "write")).toBe(1234);
    expect(references(one)).toBe(1 + mode);
  });

  test("levels that entries skip are not read, and their address bits are zero", () => {
    const one = machine();
    one.attach(4);
    enter(one, { levels: [4, 1], order: 0 }, 3 * 2 ** 27 + 8, 55);
    expect(one.silicon.access(source, 3 * 2 ** 27 + 8, "read")).toBe(55);
    expect(references(one)).toBe(1 + 2);
    expect(one.silicon.access(source, 3 * 2 ** 27 + 2 ** 9 + 8, "read")).toBe(null);
    expect(one.events()).toMatchObject([{ kind: "page-fault", cause: "reserved", domain }]);
  });
});

/** Falling levels from `mode` down to the leaf's, and a page with zeros between. */
const mapping = fc
  .record({
    mode: fc.integer({ min: 1, max: 6 }),
    skips: fc.array(fc.boolean(), { minLength: 6, maxLength: 6 }),
    order: fc.integer({ min: 0, max: 11 }),
    bits: fc.array(fc.nat(511), { minLength: 6, maxLength: 6 }),
    frame: fc.nat(4095),
    offset: fc.nat(2 ** 11),
  })
  .map(({ mode, skips, order, bits, frame, offset }) => {
    const leafLevel = Math.floor(order / 9) + 1;
    const top = Math.max(mode, leafLevel);
    const levels: number[] = [];
    for (let level = top; level >= leafLevel; level--) {
      if (level === top || level === leafLevel || skips[level - 1] !== true) levels.push(level);
    }
    // Addresses have 64 bits: the sixth level's index has seven.
    const bitsAt = (level: number) => (bits[level - 1] ?? 0) & (level === 6 ? 127 : 511);
    const page = levels.reduce((sum, level) => sum + bitsAt(level) * 2 ** (9 * (level - 1)), 0);
    const size = 2 ** order;
    return {
      way: { levels, order },
      page: page - (page % size),
      frame: frame - (frame % size),
      offset: offset % size,
    };
  });

// Seen failing with a size's lowest clear bit taken one too high, and with a skipped level read.
test("pages of any size below any levels are where tables say, at one reference per table", () => {
  fc.assert(
    fc.property(mapping, fc.constantFrom("textbook" as const, "vt-d" as const), (what, preset) => {
      const one = machine(preset);
      const { way, page, frame, offset } = what;
      one.attach(way.levels[0] ?? 1);
      enter(one, way, page, frame);
      expect(one.silicon.access(source, page + offset, "write")).toBe(frame + offset);
      expect(references(one)).toBe(1 + way.levels.length);
      // The next page is another one's, if it is anybody's.
      const beyond = one.silicon.access(source, page + 2 ** way.order, "read");
      expect(beyond).toBe(null);
    }),
  );
});

describe("caches", () => {
  const four: Way = { levels: [4, 3, 2, 1], order: 0 };

  // Seen failing with PDE ignored, either way.
  test("pages are forgotten alone; with PDE the tables above them too", () => {
    const one = machine("vt-d");
    one.attach(4);
    enter(one, four, 77, 400);
    const cost = () => {
      const before = references(one);
      expect(one.silicon.access(source, 77, "read")).toBe(400);
      return references(one) - before;
    };
    expect(cost()).toBe(1 + 4);
    expect(cost()).toBe(0);
    one.forget(0, false, 77);
    expect(cost()).toBe(1);
    one.forget(0, true, 77);
    expect(cost()).toBe(4);
    // Of another page, 2^4 pages that are none of it, and then all of them.
    one.forget(0, true, 78);
    one.forget(4, true, 96);
    expect(cost()).toBe(0);
    one.forget(51, true);
    expect(cost()).toBe(4);
  });

  test("a part of a large page's range takes the page", () => {
    const one = machine("vt-d");
    one.attach(2);
    enter(one, { levels: [2, 1], order: 4 }, 32, 64);
    expect(one.silicon.access(source, 40, "read")).toBe(72);
    one.forget(0, false, 47);
    const before = references(one);
    expect(one.silicon.access(source, 33, "read")).toBe(65);
    expect(references(one) - before).toBe(1);
  });
});

describe("what is refused is logged", () => {
  test("no entry, no right in the tables, none in the device entry", () => {
    const one = machine();
    one.attach(1, AMD_READ);
    one.memory.write(one.root, 4, (99 << 12) | AMD_PR, AMD_IR | AMD_IW);
    expect(one.silicon.access(source, 3, "read")).toBe(null);
    expect(one.silicon.access(source, 4, "write")).toBe(null);
    expect(one.silicon.access(source, 4, "read")).toBe(99);
    const fault = { kind: "page-fault", source, domain } as const;
    expect(one.events()).toEqual([
      { ...fault, page: 3, access: "read", cause: "absent" },
      { ...fault, page: 4, access: "write", cause: "denied" },
    ]);
    expect(one.silicon.counts.ledger.faults).toBe(2);
  });

  test.each([
    ["a table of its own level", 1, 1],
    ["a size that is its level's own", 2, ANY_SIZE],
  ])("%s is no entry", (_what, mode, next) => {
    const one = machine();
    one.attach(mode);
    one.memory.write(one.root, 0, (8 << 12) | (next << 9) | AMD_PR, AMD_IR | AMD_IW);
    expect(one.silicon.access(source, 0, "read")).toBe(null);
    expect(one.events()).toMatchObject([{ cause: "reserved" }]);
  });

  test("a device beyond the table, and seven levels", () => {
    const one = machine();
    one.attach(7);
    expect(one.silicon.access(128, 0, "read")).toBe(null);
    expect(one.silicon.access(source, 0, "read")).toBe(null);
    expect(one.events().map(({ kind }) => kind)).toEqual([
      "illegal-device-entry",
      "illegal-device-entry",
    ]);
  });

  test("a full log loses what comes, until software has read", () => {
    const one = machine();
    one.attach(1);
    for (let i = 0; i < 300; i++) one.silicon.access(source, 1, "read");
    expect(one.silicon.events.lost).toBe(300 - 255);
    one.silicon.write("EVTHEAD", 255);
    one.silicon.access(source, 2, "write");
    const [latest] = readEvents(one.memory, one.log, { head: 255, tail: 0 });
    expect(latest).toMatchObject({ page: 2, access: "write" });
  });
});

test("a device without an entry passes, one of mode 0 with the rights that its entry has", () => {
  const one = machine();
  expect(one.silicon.access(6, 42, "write")).toBe(42);
  one.attach(0, AMD_READ);
  expect(one.silicon.access(source, 42, "read")).toBe(42);
  expect(one.silicon.access(source, 42, "write")).toBe(null);
});

// Seen failing with the bit I not asked.
test("what a device has translated itself is taken as long as its entry says I", () => {
  const one = machine();
  one.attach(1);
  expect(one.silicon.takesTranslated(source, 3, "write")).toBe(false);
  expect(one.events()).toMatchObject([{ kind: "invalid-device-request", page: 3 }]);
});
