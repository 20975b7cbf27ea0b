/**
 * Shadow-stack accesses (CET) by both units, on tables written by hand: which pages they reach, what caches keep of that,
 * and where the nested tables have a say.
 *
 * Seen failing with: W above the leaf not asked for, in either dimension; D not asked for; the other mode's pages reached by
 * a cached translation; a store that is let through where a load has been; 1 GiB pages that the STLB forgets about; the
 * nested D bit left clear by a store. Random lives find none of these, for stacks are rare in them.
 */
import { describe, expect, test } from "vitest";
import type { Pfn } from "../address.ts";
import { A, D, EPT_A, EPT_D, P, U, W } from "../entry.ts";
import { ept, EPT_SSS_HIGH, eptShadowStack } from "../formats/ept.ts";
import { x86 } from "../formats/x86.ts";
import { PhysicalMemory } from "../memory.ts";
import {
  type Mmu,
  SHADOW_STACK,
  STOP_EPT_VIOLATION,
  STOP_NONE,
  STOP_PAGE_FAULT,
  STORE,
  USER,
} from "../mmu.ts";
import { PF_PRESENT, PF_SHADOW_STACK, PF_USER, PF_WRITE } from "../page-fault.ts";
import { presets } from "../presets.ts";
import { eptShadowStackStage, eptStage, oneStage, twoStages, withShadowStacks } from "../stages.ts";
import { TestMachine, tinyPreset, units } from "./fixture.ts";
import { hostRoom, Tables } from "./hand-made-tables.ts";

const page = 5;
const guestFrames = 256;
const shape = { levels: 4, rootExtraBits: 0 };
const [loads, stores] = [SHADOW_STACK, SHADOW_STACK | STORE];
const refused = PF_PRESENT | PF_SHADOW_STACK;

/** Why the access stopped: its error code, "read" or "write" where a nested entry refused, or null. */
function stopped(mmu: Mmu, kind: number, vpn = page): number | string | null {
  mmu.low[0] = vpn << 12;
  mmu.high[0] = kind;
  mmu.run(0, 1);
  const reason = mmu.stopReason();
  if (reason === STOP_NONE) return null;
  if (reason === STOP_PAGE_FAULT) return mmu.stopError();
  expect(reason).toBe(STOP_EPT_VIOLATION);
  return mmu.stopKind();
}

describe.each(units)("the %s unit", (_name, factory) => {
  function bare(leaf: number, link = P | W | U | A): Mmu {
    const memory = new PhysicalMemory({ guestFrames, tableFrames: 64 });
    const tables = new Tables(x86, 1, hostRoom(memory, 2));
    tables.map(page, 90, { shape, link, leaf });
    const mmu = factory(memory, presets["skylake-sp"]);
    mmu.configure(
      { stages: withShadowStacks(oneStage(4)), writeProtect: true, globalPages: false },
      1,
    );
    mmu.setRoot({ frame: 1, pcid: 0 });
    return mmu;
  }

  test("a page of a shadow stack has D and no W, and its tables all have W", () => {
    const stack = P | U | A | D;
    expect(stopped(bare(stack), loads | USER)).toBeNull();
    expect(stopped(bare(stack), stores | USER)).toBeNull();
    expect(stopped(bare(stack | W), stores | USER)).toBe(refused | PF_WRITE | PF_USER);
    expect(stopped(bare(stack & ~D), loads | USER)).toBe(refused | PF_USER);
    expect(stopped(bare(stack, P | U | A), loads | USER)).toBe(refused | PF_USER);
    expect(stopped(bare(stack), STORE | USER)).toBe(PF_PRESENT | PF_WRITE | PF_USER);
    expect(stopped(bare(stack), USER)).toBeNull();
  });

  test("each mode reaches stacks of its own, walked to or cached", () => {
    const ofUser = bare(P | U | A | D);
    expect(stopped(ofUser, loads)).toBe(refused);
    expect(stopped(ofUser, loads | USER)).toBeNull();
    expect(stopped(ofUser, stores)).toBe(refused | PF_WRITE);
    const ofSupervisor = bare(P | A | D);
    expect(stopped(ofSupervisor, stores)).toBeNull();
    expect(stopped(ofSupervisor, loads | USER)).toBe(refused | PF_USER);
  });

  test("what an ordinary load has cached serves a shadow stack's access, and the other way round", () => {
    const mmu = bare(P | A | D);
    expect(stopped(mmu, 0)).toBeNull();
    for (const kind of [stores, loads, 0]) expect(stopped(mmu, kind)).toBeNull();
    // The one walk, of four levels: a second one would start at a walk cache.
    expect(mmu.lastWalk()).toHaveLength(4);
    expect(stopped(mmu, STORE)).toBe(PF_PRESENT | PF_WRITE);
  });

  test("the second-level TLB keeps what it knows of stacks in pages of 1 GiB", () => {
    const machine = new TestMachine(factory, tinyPreset, 4);
    machine.configure({ stages: withShadowStacks(oneStage(4)) });
    const [own, other] = [2 ** 18, 2 ** 19] as const;
    for (const vpn of [own, other]) machine.map(vpn, 0, { level: 3, flags: P | A | D });
    expect(machine.access(own, stores)).toBe(true);
    // The first level has room for one page of this size.
    expect(machine.access(other)).toBe(true);
    machine.counts();
    expect(machine.access(own, stores)).toBe(true);
    expect(machine.counts()).toMatchObject({ walks: 0, stlbHits: 1 });
  });

  interface Nested {
    readonly hasBit?: boolean;
    readonly leaf: number;
    readonly link?: number;
    readonly high?: number;
    readonly guest?: number;
    readonly accessedDirty?: boolean;
  }

  function nestedMachine({
    hasBit = true,
    leaf,
    link = 7,
    high = 0,
    guest,
    accessedDirty,
  }: Nested) {
    const memory = new PhysicalMemory({ guestFrames: 2 * guestFrames, tableFrames: 64 });
    const format = hasBit ? eptShadowStack : ept;
    const nested = new Tables(format, guestFrames, hostRoom(memory, guestFrames + 1));
    const tables = new Tables(x86, 1, hostRoom(memory, 2));
    // The frame has tables of its own: frames of tables lie below 512.
    const frame = 2 ** 9 + 7;
    tables.map(page, frame, { shape, link: P | W | U | A, leaf: guest ?? P | A | D });
    for (let gfn = 0; gfn < 128; gfn++) nested.map(gfn, gfn, { shape, link: 7, leaf: 7 });
    const [, , directory, table] = nested.map(frame, 100, { shape, link: 7, leaf });
    nested.set(directory!, 1, table!, link);
    nested.set(table!, frame % 512, 100, leaf, high);
    const mmu = factory(memory, presets["skylake-sp"]);
    const second = (hasBit ? eptShadowStackStage : eptStage)(
      nested.root as Pfn,
      4,
      accessedDirty ?? false,
    );
    const stages = withShadowStacks(twoStages(second)(4));
    mmu.configure({ stages, writeProtect: true, globalPages: false }, 1);
    mmu.setRoot({ frame: 1, pcid: 0 });
    return { mmu, leafLow: () => memory.readLow(table as Pfn, frame % 512) };
  }

  test("the supervisor's are where the nested leaf has its bit, writable or not", () => {
    const { mmu } = nestedMachine({ leaf: 1, high: EPT_SSS_HIGH });
    for (const kind of [loads, stores, loads, stores]) expect(stopped(mmu, kind)).toBeNull();
    expect(stopped(nestedMachine({ leaf: 3 }).mmu, loads)).toBe("read");
    expect(stopped(nestedMachine({ leaf: 3 }).mmu, stores)).toBe("write");
    expect(stopped(nestedMachine({ leaf: 1, high: EPT_SSS_HIGH, link: 5 }).mmu, loads)).toBe(
      "read",
    );
  });

  test("an alias that the guest may write ends at the nested leaf all the same", () => {
    const { mmu } = nestedMachine({ leaf: 1, high: EPT_SSS_HIGH, guest: P | W | A | D });
    expect(stopped(mmu, STORE)).toBe("write");
    expect(stopped(mmu, stores)).toBe(refused | PF_WRITE);
  });

  test.each([true, false])(
    "with the bit %s a user's needs a page that it may store to",
    (hasBit) => {
      const guest = P | U | A | D;
      const { mmu } = nestedMachine({ hasBit, leaf: 1, high: EPT_SSS_HIGH, guest });
      expect(stopped(mmu, loads | USER)).toBeNull();
      expect(stopped(mmu, stores | USER)).toBe("write");
      expect(stopped(nestedMachine({ hasBit, leaf: 3, guest }).mmu, stores | USER)).toBeNull();
    },
  );

  test("a store sets D in the nested leaf, also where a load has been", () => {
    const { mmu, leafLow } = nestedMachine({ leaf: 1, high: EPT_SSS_HIGH, accessedDirty: true });
    expect(stopped(mmu, loads)).toBeNull();
    expect(leafLow() & (EPT_A | EPT_D)).toBe(EPT_A);
    expect(stopped(mmu, stores)).toBeNull();
    expect(leafLow() & (EPT_A | EPT_D)).toBe(EPT_A | EPT_D);
  });
});
