/**
 * Guests of other ISAs than x86-64 under the oracle: their kernel writes their entries, their fences are what keeps
 * translations true.
 *
 * Source: RISC-V privileged specification, "Memory-Management Fences" (SFENCE.VMA, HFENCE.VVMA, HFENCE.GVMA); Arm ARM D8.13
 * "TLB maintenance" (TLBI), D8.16.1 "Using break-before-make".
 */
import { afterEach, describe, expect, test, vi } from "vitest";
import { isaEngines } from "../../engines/isas.ts";
import { Contexts } from "../../guest/contexts.ts";
import { DirectMap } from "../../guest/direct-map.ts";
import type { Vpn } from "../../machine/address.ts";
import { fastMmu } from "../../machine/fast.ts";
import { x86Isa } from "../../machine/isa/x86.ts";
import type { MmuFactory } from "../../machine/machine.ts";
import type { Mmu } from "../../machine/mmu.ts";
import { presets } from "../../machine/presets.ts";
import { liveKernelLife, type LifeOptions } from "../fuzz/kernel-life.ts";
import { smallPresets } from "../fuzz/small-presets.ts";

afterEach(() => vi.restoreAllMocks());

type Name = keyof typeof isaEngines;
const names = Object.keys(isaEngines) as Name[];

function live(name: Name, options: Partial<LifeOptions> = {}) {
  return liveKernelLife({
    engine: isaEngines[name],
    preset: smallPresets.roomy,
    levels: 4,
    nestedLevels: 4,
    backing: "4k",
    seed: 1,
    steps: 700,
    ...options,
  });
}

describe.each(names)("under %s", (name) => {
  const { isa = x86Isa } = isaEngines[name];
  test.each([...isa.levels])(
    "the life of a kernel on %i levels is legal, and uses nothing stale",
    (levels) => {
      for (const [seed, preset] of Object.values(smallPresets).entries()) {
        const oracle = live(name, { levels, nestedLevels: levels, preset, seed });
        expect(oracle.checked).toBeGreaterThan(10_000);
        expect(oracle.stale).toBe(0);
      }
    },
  );

  test.each(["2m", "1g"] as const)("so it is on host pages of %s", (backing) => {
    const oracle = live(name, { backing, preset: presets["skylake-sp"], steps: 1000 });
    expect(oracle.stale).toBe(0);
  });
});

/** Silicon that does something else than asked. */
function spoilt(spoil: (mmu: Mmu) => Partial<Mmu>): MmuFactory {
  return (memory, preset) => {
    const mmu = fastMmu(memory, preset);
    return { ...mmu, ...spoil(mmu) };
  };
}

const hypervisors: readonly Name[] = ["riscv-h", "riscv-h-svadu", "arm-s2", "arm-s2-hafdbs"];
const arms: readonly Name[] = ["arm", "arm-hafdbs", "arm-s2", "arm-s2-hafdbs"];

/** Each is a bug that a processor or a hypervisor may have; the oracle has to object to it where these engines run. */
const planted: Readonly<Record<string, Partial<LifeOptions> & { readonly on: readonly Name[] }>> = {
  "a fence that names another guest": {
    on: hypervisors,
    plant({ vcpus }) {
      for (const vcpu of vcpus) {
        const fence = vcpu.fence.bind(vcpu);
        vcpu.fence = (vmid) => fence(vmid + 1);
      }
    },
  },
  // What a second-stage fence must drop of a combined TLB has been argued about: all that the stage had a part in.
  "HFENCE.GVMA, or TLBI IPAS2E1 alone, that spares what both stages together gave": {
    on: hypervisors,
    mmu: spoilt((mmu) => ({ flushNested: () => mmu.invalidateViolation(0 as never, 0 as Vpn) })),
  },
  "SFENCE.VMA or TLBI VAE1 of a page that drops its neighbour's": {
    on: names,
    mmu: spoilt((mmu) => ({ invalidatePage: (vpn) => mmu.invalidatePage((vpn + 1) as Vpn) })),
  },
  "SFENCE.VMA or TLBI ASIDE1 of an address space that drops another's": {
    on: names,
    mmu: spoilt((mmu) => ({ flushContext: (asid) => mmu.flushContext(asid + 1) })),
  },
  "a hart without Svadu or FEAT_HAFDBS that lets pass what lacks A or D": {
    on: ["riscv", "riscv-h", "arm", "arm-s2"],
    mmu: spoilt((mmu) => ({
      configure(to, vpid) {
        const stages = to.stages.map((stage) => ({ ...stage, refusesUnmarked: false }));
        mmu.configure({ ...to, stages }, vpid);
      },
    })),
  },
};

const cases = Object.entries(planted).flatMap(([bug, { on, ...options }]) =>
  on.map((name) => [bug, name, options] as const),
);

// Seen failing: each of these without its plant passes.
test.each(cases)("the oracle finds %s, under %s", (_bug, name, options) => {
  expect(() => live(name, { steps: 20_000, ...options })).toThrow(/legal:/);
});

describe("break-before-make:", () => {
  test.each(arms)("a leaf replaced without a break is found, under %s", (name) => {
    vi.spyOn(DirectMap.prototype, "clear").mockReturnValue(undefined);
    expect(() => live(name, { steps: 20_000 })).toThrow(/is replaced without a break/);
  });

  test.each(arms)("a leaf made before the fence of its break is found, under %s", (name) => {
    vi.spyOn(Contexts.prototype, "flushPage").mockReturnValue(undefined);
    expect(() => live(name, { steps: 20_000 })).toThrow(/is made with no fence of page/);
  });
});
