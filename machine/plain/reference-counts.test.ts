/**
 * How many references a cold walk takes, by the shape of its tables: flattened, flat, RISC-V's, Arm's, with large pages.
 *
 * Each row is a list of stages and nothing else; both units walk it. The counts are closed forms: g levels on n levels
 * take (g + 1)(n + 1) - 1.
 *
 * Source: Park et al. (ASPLOS 2022) for flattened tables, Ahn et al. (ISCA 2012) for a flat second stage, RISC-V privileged
 * specification 8.5, Arm ARM D8.2.
 */
import { describe, expect, test } from "vitest";
import { createLedger, walkLengthMax } from "../counters.ts";
import type { Pfn } from "../address.ts";
import { fastMmu } from "../fast.ts";
import { armGuest, armStage2, armStage2Shape, type Granule } from "../formats/arm.ts";
import { ept, eptFolded } from "../formats/ept.ts";
import { type EntryFormat, orderAt } from "../formats/format.ts";
import { riscv } from "../formats/riscv.ts";
import { x86, x86Folded } from "../formats/x86.ts";
import type { MmuFactory } from "../machine.ts";
import { PhysicalMemory } from "../memory.ts";
import { type Mmu, STORE } from "../mmu.ts";
import { type Preset, presets } from "../presets.ts";
import { type Stage, x86Stage } from "../stages.ts";
import { tinyPreset, units } from "./fixture.ts";
import { counted, hostRoom, load, type Path, Tables } from "./hand-made-tables.ts";
import { plainMmu } from "./mmu.ts";

interface Dimension extends Path {
  readonly format: EntryFormat;
  readonly marks: boolean;
  readonly keepsRoot?: boolean;
  /** Do the bytes of a table of several frames lie one after another? */
  readonly inRuns?: boolean;
}

const shaped = (levels: number, rootExtraBits = 0) => ({ shape: { levels, rootExtraBits } });
const largePage = 0x80;
const x86Tables = (levels: number, leafLevel = 1): Dimension => {
  const leaf = leafLevel > 1 ? 0x67 | largePage : 0x67;
  return { format: x86, ...shaped(levels), link: 0x27, leaf, leafLevel, marks: true };
};
const eptTables = (levels: number, leafLevel = 1): Dimension => {
  const leaf = leafLevel > 1 ? 0x307 | largePage : 0x307;
  return { format: ept, ...shaped(levels), link: 0x107, leaf, leafLevel, marks: true };
};
const riscvTables = (levels: number, rootExtraBits = 0): Dimension => {
  return { format: riscv, ...shaped(levels, rootExtraBits), link: 0x01, leaf: 0xdf, marks: true };
};
/** Both levels 4 and 3 in the root, 2 and 1 in tables of 2 MiB. */
const flattened = (dimension: Dimension): Dimension => {
  const format = dimension.format === x86 ? x86Folded : eptFolded;
  return { ...dimension, format, ...shaped(3, 9), folds: [3] };
};
/** One level of tables only in one, where no contiguous memory is for the others. */
const foldedAt = (levels: readonly number[], dimension: Dimension): Dimension => {
  return { ...dimension, format: dimension.format === x86 ? x86Folded : eptFolded, folds: levels };
};
const flat: Dimension = { ...eptTables(1), ...shaped(1, 9) };
/** 48 bits of virtual address. */
const arm = (granule: Granule, bits = 48): Dimension => {
  const levels = Math.floor((bits - 4) / (granule - 3));
  return { format: armGuest(granule), ...shaped(levels), link: 3, leaf: 0x443, marks: false };
};
const stage2 = (granule: Granule, bits: number): Dimension => {
  const shape = armStage2Shape(granule, bits);
  return { format: armStage2(granule), shape, link: 3, leaf: 0x4c3, marks: false };
};

type Row = readonly [name: string, references: number, guest: Dimension, host: Dimension | null];
const rows: readonly Row[] = [
  ["4 levels", 4, x86Tables(4), null],
  ["5 levels", 5, x86Tables(5), null],
  ["a 2 MiB page", 3, x86Tables(4, 2), null],
  ["a 1 GiB page", 2, x86Tables(4, 3), null],
  ["flattened tables", 2, flattened(x86Tables(4)), null],
  ["flattened, L3 and L2 only", 3, foldedAt([4], x86Tables(4)), null],
  ["flattened, L2 and L1 only", 3, foldedAt([3], x86Tables(4)), null],
  ["flattened root, no memory below", 3, foldedAt([], { ...x86Tables(4), ...shaped(3, 9) }), null],
  ["a 2 MiB page below a flattened root", 2, { ...x86Tables(4, 2), ...shaped(3, 9) }, null],
  ["4 on 4", 24, x86Tables(4), eptTables(4)],
  ["5 on 5", 35, x86Tables(5), eptTables(5)],
  ["4 on 5", 29, x86Tables(4), eptTables(5)],
  ["5 on 4", 29, x86Tables(5), eptTables(4)],
  ["2 MiB host pages", 19, x86Tables(4), eptTables(4, 2)],
  ["2 MiB guest pages", 19, x86Tables(4, 2), eptTables(4)],
  ["2 MiB on both sides", 15, x86Tables(4, 2), eptTables(4, 2)],
  ["1 GiB host pages", 14, x86Tables(4), eptTables(4, 3)],
  ["1 GiB guest pages", 14, x86Tables(4, 3), eptTables(4)],
  ["1 GiB on both sides", 8, x86Tables(4, 3), eptTables(4, 3)],
  ["flattened on flattened", 8, flattened(x86Tables(4)), flattened(eptTables(4))],
  ["flattened guest", 14, flattened(x86Tables(4)), eptTables(4)],
  ["flattened host", 14, x86Tables(4), flattened(eptTables(4))],
  ["L3 and L2 on both", 15, foldedAt([4], x86Tables(4)), foldedAt([4], eptTables(4))],
  ["flat nested", 9, x86Tables(4), flat],
  ["flat nested, root kept", 8, { ...x86Tables(4), keepsRoot: true }, flat],
  ["flattened on flat", 5, flattened(x86Tables(4)), flat],
  ["Sv39", 3, riscvTables(3), null],
  ["Sv48", 4, riscvTables(4), null],
  ["Sv57", 5, riscvTables(5), null],
  ["bare on Sv39x4", 3, riscvTables(3, 2), null],
  ["Sv39 on Sv39x4", 15, riscvTables(3), riscvTables(3, 2)],
  ["Sv48 on Sv48x4", 24, riscvTables(4), riscvTables(4, 2)],
  ["Sv57 on Sv57x4", 35, riscvTables(5), riscvTables(5, 2)],
  ["Sv39 on Sv48x4", 19, riscvTables(3), riscvTables(4, 2)],
  ["Arm 4 KiB, 48 on 48 bits", 24, arm(12), stage2(12, 48)],
  ["Arm 4 KiB, 48 on 40 bits, two root tables", 19, arm(12), stage2(12, 40)],
  ["Arm 4 KiB, 39 on 39 bits", 15, arm(12, 39), stage2(12, 39)],
  ["Arm 4 KiB, 39 on 40 bits", 15, arm(12, 39), stage2(12, 40)],
  ["Arm 64 KiB, 48 on 40 bits", 11, arm(16), stage2(16, 40)],
  ["Arm 16 KiB, 48 on 40 bits, 16 root tables", 14, arm(14), stage2(14, 40)],
];

/** Those whose host tables are of several frames, with the bytes of these one after another. */
const inRuns = rows.flatMap(([name, references, guest, host]): Row[] => {
  const isWide = host !== null && (host.shape.rootExtraBits > 0 || host.format.entries > 512);
  return isWide ? [[`${name}, in runs`, references, guest, { ...host, inRuns: true }]] : [];
});

const guestFrames = 2 ** 18;
/** Guest frames lie where 1 GiB pages may. */
const at = (gfn: number) => (gfn + guestFrames) as Pfn;
const inAddressSpace = ({ format, shape }: Dimension, page: number) =>
  page % 2 ** (orderAt(format, shape.levels + 1) + shape.rootExtraBits);

/** A machine with tables of these shapes, in which pages are mapped one after another. */
function machineOf(
  factory: MmuFactory,
  preset: Preset,
  guest: Dimension,
  host: Dimension | null,
): { readonly mmu: Mmu; readonly map: (page: number) => Pfn } {
  const memory = new PhysicalMemory({ guestFrames: 2 ** 19, tableFrames: 8192, slotsMax: 16_384 });
  const room = hostRoom(memory, 2 ** 19, host?.inRuns);
  const rootOf = ({ format, shape }: Dimension) =>
    (format.entries * 2 ** shape.rootExtraBits) / 512;
  const second = host && new Tables(host.format, room.allocate(rootOf(host)), room);
  const place = host === null ? (frame: number) => frame as Pfn : at;
  const own = { ...hostRoom(memory, 0), place };
  const first = new Tables(guest.format, own.allocate(rootOf(guest)), own);
  const stages: Stage[] = [stageOf(guest, host === null ? null : 1, null)];
  if (host !== null) {
    stages.push({ ...stageOf(host, null, second!.root as Pfn), counters: "Nested" });
  }
  const mmu = factory(memory, preset);
  mmu.configure({ stages, writeProtect: true, globalPages: false }, 1);
  mmu.setRoot({ frame: first.root, pcid: 0 });
  const order = orderAt(guest.format, guest.leafLevel ?? 1);
  let pages = 0;
  return {
    mmu,
    /** Maps the page; the host frame that it has then. */
    map(page: number): Pfn {
      const start = order >= 18 ? 0 : Math.ceil(150_000 / 2 ** order) * 2 ** order;
      const frame = order >= 18 ? 0 : start + pages * 2 ** order;
      pages += 1;
      const gfn = frame + (page % 2 ** order);
      const path = first.map(page, frame, guest);
      if (host === null) return gfn as Pfn;
      const span = 2 ** orderAt(host.format, host.leafLevel ?? 1);
      for (const used of [...path, gfn]) second!.map(used, at(used - (used % span)), host);
      return at(gfn);
    },
  };
}

function stageOf(dimension: Dimension, through: number | null, root: Pfn | null): Stage {
  const { format, shape, marks, keepsRoot = false } = dimension;
  return { ...x86Stage(4), format, shape, marks, keepsRoot, through, root };
}

/** Cold but for what is kept: the walk of another page has left that. */
function coldWalk(mmu: Mmu, page: number, other: number) {
  load(mmu, other);
  mmu.flushLinear();
  counted(mmu);
  expect(load(mmu, page)).toBe(true);
  return counted(mmu);
}

const page = 0x2_2345_6789;
const far = page + 0x3_4567_0000;

// Seen failing with: a root's extra bits ignored, a folded table of which the first frame serves all pages, a level
// skipped without its index bits, a granule's index taken from 4 KiB pages, a block's bit read as a table's, a kept root
// that a new root does not replace.
describe.each(units)("the %s unit", (_name, factory) => {
  test.each(rows)("%s: a cold walk takes %i references", (_row, references, guest, host) => {
    const { mmu, map } = machineOf(factory, presets.textbook, guest, host);
    const [one, other] = [inAddressSpace(guest, page), inAddressSpace(guest, far)];
    const found = map(one);
    map(other);
    const { guest: own, nested } = coldWalk(mmu, one, other);
    expect(mmu.lastPfn()).toBe(found);
    expect(own + nested).toBe(references);
  });

  test("a kept root goes with its register, and with INVEPT", () => {
    const guest = { ...x86Tables(4), keepsRoot: true };
    const { mmu, map } = machineOf(factory, presets.textbook, guest, flat);
    map(page);
    const walk = () => {
      mmu.flushLinear();
      counted(mmu);
      load(mmu, page);
      return counted(mmu).nested;
    };
    expect([walk(), walk()]).toEqual([5, 4]);
    mmu.setRoot({ frame: 0, pcid: 0 });
    expect([walk(), walk()]).toEqual([5, 4]);
    mmu.flushNested();
    expect([walk(), walk()]).toEqual([5, 4]);
  });
});

describe.each([
  ["skylake-sp", presets["skylake-sp"]],
  ["a few entries", tinyPreset],
  ["no entry", presets.textbook],
] as const)("with caches of %s both units count the same", (_name, preset) => {
  // Seen failing with a part of a run that is taken from its start, and one that is found by the frame's own place.
  test.each([...rows, ...inRuns])("%s", (_row, _references, guest, host) => {
    const lives = [fastMmu, plainMmu].map((factory) => machineOf(factory, preset, guest, host));
    const strides = [0, 1, 7, 511, 512, 1024, 4096, 2 ** 17, 2 ** 18, 2 ** 22, 2 ** 27, 2 ** 31];
    const pages = strides
      .flatMap((a) => [a, a + 3, a + 515])
      .map((a) => inAddressSpace(guest, page + a));
    const frames = new Map<number, Pfn>();
    // With large pages, one page of each.
    const seen = new Set<number>();
    const order = orderAt(guest.format, guest.leafLevel ?? 1);
    for (const each of pages) {
      const large = Math.floor(each / 2 ** order);
      if (seen.has(large)) continue;
      seen.add(large);
      const [one, other] = lives.map(({ map }) => map(each));
      expect(one).toBe(other);
      frames.set(each, one!);
    }
    const mapped = [...frames.keys()];
    for (let i = 0; i < 400; i++) {
      const each = mapped[(i * i + 7 * i) % mapped.length]!;
      const kind = i % 3 === 0 ? STORE : 0;
      if (i % 40 === 39) for (const { mmu } of lives) mmu.flushLinear();
      for (const { mmu } of lives) {
        mmu.low[0] = each << 12;
        mmu.high[0] = Math.floor(each / 2 ** 20) | kind;
        expect(mmu.run(0, 1)).toBe(1);
        expect(mmu.lastPfn()).toBe(frames.get(each));
      }
    }
    const [fast, plain] = lives.map(({ mmu }) => {
      const ledger = createLedger();
      const lengths = new Float64Array(walkLengthMax + 1);
      mmu.collect(ledger, lengths);
      return { ledger, lengths: [...lengths] };
    });
    expect(fast).toEqual(plain);
  });
});
