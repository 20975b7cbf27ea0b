/**
 * RISC-V's fences and Arm's, by both units: what each must drop of a guest's translations on two stages, and what it may spare.
 *
 * An entry is rewritten behind silicon's back; after the fence the page leads where the tables say, or where they said.
 *
 * Seen failing with: HFENCE.GVMA that drops the G-stage's own translations and keeps those of both stages together, an ASID's
 * fence that takes global leaves along.
 *
 * Source: RISC-V privileged specification, "Supervisor Memory-Management Fence Instruction", "Hypervisor Memory-Management
 * Fence Instructions"; Arm ARM D8.13 "TLB maintenance".
 */
import { describe, expect, test } from "vitest";
import type { Pfn, Vpn } from "../address.ts";
import { arm4kHafdbs, arm4kStage2 } from "../formats/arm.ts";
import type { EntryFormat } from "../formats/format.ts";
import { riscv, riscvSecond } from "../formats/riscv.ts";
import { armHafdbs } from "../isa/arm.ts";
import type { Isa } from "../isa/isa.ts";
import { svadu } from "../isa/riscv.ts";
import { PhysicalMemory } from "../memory.ts";
import type { Mmu } from "../mmu.ts";
import { presets } from "../presets.ts";
import { units } from "./fixture.ts";
import { hostRoom, load, Tables } from "./hand-made-tables.ts";

const guestFrames = 2048;
const at = (gfn: number) => (gfn + 8) as Pfn;

interface Kind {
  readonly isa: Isa;
  readonly own: EntryFormat;
  readonly second: EntryFormat;
  readonly link: number;
  /** Of a leaf with all rights, used and stored to, of an address space of its own; in the second stage; and what makes one global. */
  readonly leaf: number;
  readonly secondLeaf: number;
  readonly global: number;
  readonly rootExtraBits: number;
}
const kinds: readonly (readonly [string, Kind])[] = [
  [
    "RISC-V",
    {
      isa: svadu,
      own: riscv,
      second: riscvSecond,
      link: 1,
      leaf: 0xdf,
      secondLeaf: 0xdf,
      global: 0x20,
      rootExtraBits: 2,
    },
  ],
  [
    "Arm",
    {
      isa: armHafdbs,
      own: arm4kHafdbs,
      second: arm4kStage2,
      link: 3,
      leaf: 0xf43,
      secondLeaf: 0x7ff,
      global: 0x800,
      rootExtraBits: 1,
    },
  ],
];
const page = 0x2_4605;
const [before, after] = [100, 101];
const asid = 3;

const fences = {
  "SFENCE.VMA of the page, TLBI VAAE1": (mmu: Mmu) => mmu.invalidatePage(page as Vpn),
  "SFENCE.VMA of the page and the ASID, TLBI VAE1": (mmu: Mmu) =>
    mmu.invalidatePageOf(page as Vpn, asid),
  "SFENCE.VMA of the ASID, TLBI ASIDE1": (mmu: Mmu) => mmu.flushContext(asid),
  "SFENCE.VMA of another ASID": (mmu: Mmu) => mmu.flushContext(asid + 1),
  "SFENCE.VMA of all, HFENCE.VVMA, TLBI VMALLE1": (mmu: Mmu) => mmu.flushLinear(),
  "HFENCE.GVMA, TLBI VMALLS12E1": (mmu: Mmu) => mmu.flushNested(),
} as const;

/** Is the new entry seen, by what was rewritten: a leaf of the guest's, a global one, the G-stage's for the page? */
const rules: readonly (readonly [
  keyof typeof fences,
  leaf: boolean,
  global: boolean,
  g: boolean,
])[] = [
  ["SFENCE.VMA of the page, TLBI VAAE1", true, true, false],
  ["SFENCE.VMA of the page and the ASID, TLBI VAE1", true, false, false],
  ["SFENCE.VMA of the ASID, TLBI ASIDE1", true, false, false],
  ["SFENCE.VMA of another ASID", false, false, false],
  ["SFENCE.VMA of all, HFENCE.VVMA, TLBI VMALLE1", true, true, false],
  ["HFENCE.GVMA, TLBI VMALLS12E1", true, true, true],
];

const cases = units.flatMap(([unit, factory]) =>
  kinds.map(([name, kind]) => [unit, name, factory, kind] as const),
);

describe.each(cases)("the %s unit, %s", (_unit, _name, factory, kind) => {
  const { isa, link, leaf, secondLeaf, global, rootExtraBits } = kind;
  const own = { shape: { levels: 3, rootExtraBits: 0 }, link, leaf };
  const nested = { shape: { levels: 3, rootExtraBits }, link, leaf: secondLeaf };

  function machine(flags: number) {
    const memory = new PhysicalMemory({ guestFrames, tableFrames: 64 });
    const room = hostRoom(memory, guestFrames);
    const second = new Tables(kind.second, room.allocate(2 ** rootExtraBits), room);
    for (let gfn = 0; gfn < 128; gfn++) second.map(gfn, at(gfn), nested);
    const guestRoom = { ...hostRoom(memory, 1), place: at };
    const first = new Tables(kind.own, guestRoom.allocate(1), guestRoom);
    first.map(page, before, { ...own, leaf: leaf ^ flags });
    const mmu = factory(memory, presets["skylake-sp"]);
    const stage = isa.stage(3);
    mmu.configure(
      {
        stages: [
          { ...stage, through: 1 },
          {
            ...stage,
            counters: "Nested",
            format: kind.second,
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
      else first.map(page, after, { ...own, leaf: leaf ^ flags });
      // Cached: nobody has fenced.
      expect(reached()).toBe(at(before));
      fences[name](mmu);
      return [reached() === at(after), seen[i]];
    });
    for (const [isNew, expected] of changes) expect(isNew).toBe(expected);
  });
});
