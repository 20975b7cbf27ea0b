/**
 * RISC-V's fences by both units: what each must drop of a guest's translations on two stages, and what it may spare.
 *
 * An entry is rewritten behind silicon's back; after the fence the page leads where the tables say, or where they said.
 *
 * Seen failing with: HFENCE.GVMA that drops the G-stage's own translations and keeps those of both stages together, an ASID's
 * fence that takes global leaves along.
 *
 * Source: RISC-V privileged specification, "Supervisor Memory-Management Fence Instruction", "Hypervisor Memory-Management
 * Fence Instructions".
 */
import { describe, expect, test } from "vitest";
import type { Pfn, Vpn } from "../address.ts";
import { riscv, riscvSecond } from "../formats/riscv.ts";
import { svadu } from "../isa/riscv.ts";
import { PhysicalMemory } from "../memory.ts";
import type { Mmu } from "../mmu.ts";
import { presets } from "../presets.ts";
import { units } from "./fixture.ts";
import { hostRoom, load, Tables } from "./hand-made-tables.ts";

const guestFrames = 2048;
const at = (gfn: number) => (gfn + 8) as Pfn;
/** V R W X U A D. */
const leaf = 0xdf;
const global = 0x20;
const own = { shape: { levels: 3, rootExtraBits: 0 }, link: 1, leaf };
const nested = { shape: { levels: 3, rootExtraBits: 2 }, link: 1, leaf };
const page = 0x2_4605;
const [before, after] = [100, 101];
const asid = 3;

const fences = {
  "SFENCE.VMA of the page": (mmu: Mmu) => mmu.invalidatePage(page as Vpn),
  "SFENCE.VMA of the page and the ASID": (mmu: Mmu) => mmu.invalidatePageOf(page as Vpn, asid),
  "SFENCE.VMA of the ASID": (mmu: Mmu) => mmu.flushContext(asid),
  "SFENCE.VMA of another ASID": (mmu: Mmu) => mmu.flushContext(asid + 1),
  "SFENCE.VMA of all, HFENCE.VVMA": (mmu: Mmu) => mmu.flushLinear(),
  "HFENCE.GVMA": (mmu: Mmu) => mmu.flushNested(),
} as const;

/** Is the new entry seen, by what was rewritten: a leaf of the guest's, a global one, the G-stage's for the page? */
const rules: readonly (readonly [
  keyof typeof fences,
  leaf: boolean,
  global: boolean,
  g: boolean,
])[] = [
  ["SFENCE.VMA of the page", true, true, false],
  ["SFENCE.VMA of the page and the ASID", true, false, false],
  ["SFENCE.VMA of the ASID", true, false, false],
  ["SFENCE.VMA of another ASID", false, false, false],
  ["SFENCE.VMA of all, HFENCE.VVMA", true, true, false],
  ["HFENCE.GVMA", true, true, true],
];

describe.each(units)("the %s unit", (_name, factory) => {
  function machine(flags: number) {
    const memory = new PhysicalMemory({ guestFrames, tableFrames: 64 });
    const room = hostRoom(memory, guestFrames);
    const second = new Tables(riscvSecond, room.allocate(4), room);
    for (let gfn = 0; gfn < 128; gfn++) second.map(gfn, at(gfn), nested);
    const guestRoom = { ...hostRoom(memory, 1), place: at };
    const first = new Tables(riscv, guestRoom.allocate(1), guestRoom);
    first.map(page, before, { ...own, leaf: leaf | flags });
    const mmu = factory(memory, presets["skylake-sp"]);
    const stage = svadu.stage(3);
    mmu.configure(
      {
        stages: [
          { ...stage, through: 1 },
          {
            ...stage,
            counters: "Nested",
            format: riscvSecond,
            shape: nested.shape,
            root: second.root as Pfn,
          },
        ],
        writeProtect: true,
        globalPages: true,
      },
      1,
    );
    mmu.setRoot({ frame: first.root, pcid: asid });
    const reached = () => {
      expect(load(mmu, page)).toBe(true);
      return mmu.lastPfn();
    };
    return { mmu, first, second, reached };
  }

  test.each(rules)("%s: leaf %s, global leaf %s, G-stage %s", (name, ...seen) => {
    const changes = [0, global, null].map((flags, i) => {
      const { mmu, first, second, reached } = machine(flags ?? 0);
      expect(reached()).toBe(at(before));
      if (flags === null) second.map(before, at(after), nested);
      else first.map(page, after, { ...own, leaf: leaf | flags });
      // Cached: nobody has fenced.
      expect(reached()).toBe(at(before));
      fences[name](mmu);
      return [reached() === at(after), seen[i]];
    });
    for (const [isNew, expected] of changes) expect(isNew).toBe(expected);
  });
});
