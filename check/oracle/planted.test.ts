/**
 * Bugs that translation simulators have shipped, planted one by one: the oracle must find each.
 *
 * Every plant is a wrapper around the hardware or the hypervisor, or one patched method of the plain unit
 * (`plain-mmu.ts`). Fuzzed guests run on it until the oracle objects; the same guests pass without the plant.
 * So this file is the mutation test of the oracle and of the fuzzer's programs at once. The list follows
 * what peers have shipped; counting bugs of the same list are in `conservation.test.ts`.
 */
import { afterEach, describe, expect, test, vi } from "vitest";
import { Prng } from "../../guest/prng.ts";
import type { PageOrder, Gfn, Pfn } from "../../machine/address.ts";
import { fastMmu } from "../../machine/fast.ts";
import type { Hypervisor } from "../../hypervisor/hypervisor.ts";
import type { VirtualCpu } from "../../machine/virtual-cpu.ts";
import type { MmuFactory } from "../../machine/machine.ts";
import type { Mmu } from "../../machine/mmu.ts";
import { type EngineName, engines } from "../../engines/index.ts";
import { drawProgram } from "../fuzz/draw-program.ts";
import { runProgram, type Target } from "../fuzz/run-program.ts";
import { smallPresets } from "../fuzz/small-presets.ts";
import { checkedGuest } from "./checked-guest.ts";
import { patch } from "./patch-method.ts";
import { type Context, type Key, PlainCache } from "../../machine/plain/cache.ts";
import { plainMmu } from "../../machine/plain/mmu.ts";
import { PlainTlb, type TlbEntry, type Translation } from "../../machine/plain/tlb.ts";
import type { Platform } from "../../hypervisor/platform.ts";
import { PlainTranslator } from "../../machine/plain/translate.ts";

/** Programs that a plant gets before it counts as missed: all were found within half of them. */
const programsMax = 200;
const opsPerProgram = 800;
/** Programs that must pass without a plant, on two units under four engines. */
const programsOfControl = 15;

afterEach(() => vi.restoreAllMocks());

interface Plant {
  readonly engine?: EngineName;
  readonly mmu?: MmuFactory;
  readonly plant?: (hypervisor: Hypervisor, machine: Platform) => Hypervisor;
}

/** What the oracle says about the first fuzzed guest that it objects to; null when none. */
function firstProblem(
  { engine = "native", mmu = fastMmu, plant }: Plant,
  programs = programsMax,
): string | null {
  const prng = new Prng(1);
  const factory = engines[engine].create;
  const target: Target = {
    engine,
    factory: plant === undefined ? factory : (platform) => plant(factory(platform), platform),
    native: engine === "native",
    presetName: "roomy",
    preset: smallPresets.roomy,
    nestedLevels: 4,
    mmu,
  };
  for (let i = 0; i < programs; i++) {
    const { problem } = runProgram(drawProgram(prng, opsPerProgram), target);
    if (problem !== null) return problem;
  }
  return null;
}

/** The fast unit with some methods replaced. */
function changed(change: (mmu: Mmu) => Partial<Mmu>): MmuFactory {
  return (memory, preset) => {
    const mmu = fastMmu(memory, preset);
    return { ...mmu, ...change(mmu) };
  };
}

const nothing = () => undefined;

test.each(["native", "ept", "shadow", "shadow-vtlb"] as const)(
  "without a plant the same guests pass under %s, on either unit",
  (engine) => {
    expect(firstProblem({ engine }, programsOfControl)).toBeNull();
    expect(firstProblem({ engine, mmu: plainMmu }, programsOfControl)).toBeNull();
  },
);

describe("an invalidation left out is found:", () => {
  test.each([
    ["INVLPG", { invalidatePage: nothing }],
    ["INVPCID of an address", { invalidatePageOf: nothing }],
    ["context switch ignored by the TLB", { flushContext: nothing }],
    ["INVPCID of all but globals", { flushNonGlobal: nothing }],
    ["flush of everything", { flushLinear: nothing }],
    ["load of a root", { setRoot: nothing }],
  ] satisfies [string, Partial<Mmu>][])("%s", (_, methods) => {
    expect(firstProblem({ mmu: changed(() => methods) })).not.toBeNull();
  });

  test("second-stage fence that leaves combined entries", () => {
    // Nested TLB and nested walk caches go, TLB entries stay.
    let isFence = false;
    patch<[(entry: TlbEntry) => boolean], void>(
      PlainTlb.prototype,
      "removeWhere",
      (remove, _, unwanted) => {
        if (!isFence) remove(unwanted);
      },
    );
    const mmu: MmuFactory = (memory, preset) => {
      const unit = plainMmu(memory, preset);
      const flush = unit.flushNested.bind(unit);
      unit.flushNested = () => {
        isFence = true;
        flush();
        isFence = false;
      };
      return unit;
    };
    expect(firstProblem({ engine: "ept", mmu })).toMatch(/reached pfn|found old data/);
  });

  test("superpage invalidation that misses its 4 KiB children", () => {
    // Entries forget that they are pieces of a larger guest page.
    patchFill((translation) => ({ ...translation, guestOrder: translation.order }));
    expect(firstProblem({ engine: "ept", mmu: plainMmu })).toMatch(/reached pfn|stale/);
  });
});

describe("a wrong entry is found:", () => {
  test("PCID mixed into the tag bits", () => {
    const mixed = (key: Key): Key => ({ ...key, tag: key.tag + key.pcid, pcid: 0 });
    patch<[Key], unknown>(PlainCache.prototype, "find", (find, _, key) => find(mixed(key)));
    patch<[Key], unknown>(PlainCache.prototype, "insert", (insert, _, entry) =>
      insert(mixed(entry)),
    );
    expect(firstProblem({ mmu: plainMmu })).toMatch(/reached pfn|took #PF/);
  });

  test("size of the first stage used for the second", () => {
    // A 2 MiB guest page is entered whole although the host scatters it.
    patchFill((translation, vpn) => {
      const { order, guestOrder, frame } = translation;
      const first = frame - ((vpn % 2 ** guestOrder) - (vpn % 2 ** order));
      return { ...translation, order: guestOrder as PageOrder, frame: first };
    });
    expect(firstProblem({ engine: "ept", mmu: plainMmu })).toMatch(/reached pfn/);
  });

  test("4 KiB entry filled from a 2 MiB walk", () => {
    // The entry covers 4 KiB but has the frame of the large page's start.
    patchFill((translation) => ({ ...translation, order: 0 }));
    expect(firstProblem({ mmu: plainMmu })).toMatch(/reached pfn/);
  });

  test("walk-cache fill at the wrong level", () => {
    // What a PDE points to goes into the cache of PDPTEs (ChampSim issue 336).
    const planted = new WeakSet<PlainTranslator>();
    patch<[unknown, unknown], unknown>(
      PlainTranslator.prototype,
      "translate",
      (translate, self: PlainTranslator, ...access) => {
        const { 2: below, 3: above } = self.pwc;
        if (!planted.has(self)) {
          below!.insert = (entry) =>
            above!.insert({ ...entry, order: 18, tag: Math.floor(entry.tag / 512) });
        }
        planted.add(self);
        return translate(...access);
      },
    );
    expect(firstProblem({ mmu: plainMmu })).not.toBeNull();
  });
});

/** Changes every translation on its way into a TLB. */
function patchFill(change: (translation: Translation, vpn: number) => Translation): void {
  patch<[number, Context, Translation], void>(
    PlainTlb.prototype,
    "fill",
    (fill, _, vpn, context, translation) => fill(vpn, context, change(translation, vpn)),
  );
}

describe("a hypervisor that forgets is found:", () => {
  test("frame reused without unmapping it", () => {
    const plant = (hypervisor: Hypervisor): Hypervisor => ({
      ...hypervisor,
      host: (event) => (event.kind === "reclaim" ? [] : hypervisor.host(event)),
    });
    // Whoever looks first: the guest, or a host that is about to share or move the page.
    const seen = /found old data|does not hold its contents/;
    expect(firstProblem({ engine: "ept", plant })).toMatch(seen);
  });

  test("a guest INVLPG not followed in the shadow", () => {
    const plant = (hypervisor: Hypervisor): Hypervisor => ({
      ...hypervisor,
      exit: (exit, vcpu) => (exit.reason === "invlpg" ? "emulated" : hypervisor.exit(exit, vcpu)),
    });
    expect(firstProblem({ engine: "shadow-vtlb", plant })).not.toBeNull();
  });

  test("a store emulated at the frame beside the right one", () => {
    const plant = (hypervisor: Hypervisor): Hypervisor => ({
      ...hypervisor,
      exit(exit, vcpu) {
        // Everything else reaches the real vCPU through the prototype.
        const beside = Object.create(vcpu) as VirtualCpu;
        beside.emulateStore = (at, gfn) => vcpu.emulateStore(at, (gfn + 1) as Gfn);
        return hypervisor.exit(exit, beside);
      },
    });
    expect(firstProblem({ engine: "shadow", plant })).toMatch(/emulated|reached pfn/);
  });

  test("a host page replaced by an empty one without copying it", () => {
    const { vcpu, machine, direct, place } = checkedGuest({ engine: "ept" });
    vcpu.write(direct(1100));
    vcpu.drain();
    machine.memory.zero(place(1100));
    vcpu.read(direct(1100));
    expect(() => vcpu.drain()).toThrow(/found old data/);
  });
});

test("every PML entry is the page-aligned address of a page that was written", () => {
  const aligned = (mmu: MmuFactory) => {
    const { vcpu, machine, hypervisor, direct } = checkedGuest({ engine: "ept-pml", mmu });
    const buffers: Pfn[] = [];
    const setPml = vcpu.mmu.setPml.bind(vcpu.mmu);
    vcpu.mmu.setPml = (buffer) => {
      if (buffer !== null) buffers.push(buffer);
      setPml(buffer);
    };
    // An exit drains the buffer, so the pages are mapped before.
    for (let i = 0; i < 40; i++) vcpu.read(direct(1100 + i));
    vcpu.drain();
    hypervisor.host({ kind: "dirty-log-on", start: 1024 as Gfn, frames: 1024 });
    for (let i = 0; i < 40; i++) vcpu.write(direct(1100 + i), 8 * i);
    vcpu.drain();
    const entries: number[] = [];
    for (let at = vcpu.mmu.pmlIndex() + 1; at < 512; at++) {
      entries.push(machine.memory.readLow(buffers[0]!, at));
    }
    return {
      isAligned: entries.every((entry) => entry % 4096 === 0),
      data: entries.map((entry) => entry >>> 12).filter((gfn) => gfn >= 1024),
    };
  };
  const written = Array.from({ length: 40 }, (_, i) => 1139 - i);
  expect(aligned(fastMmu)).toEqual({ isAligned: true, data: written });
  // Planted: the offset of the access stays in the logged address.
  const unaligned: MmuFactory = (memory, preset) => {
    const write = memory.write.bind(memory);
    memory.write = (pfn, index, low, high) => {
      write(pfn, index, pfn >= memory.guestFrames && low % 4096 === 0 ? low | 8 : low, high);
    };
    return plainMmu(memory, preset);
  };
  expect(aligned(unaligned).isAligned).toBe(false);
});
