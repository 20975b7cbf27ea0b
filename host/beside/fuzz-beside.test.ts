/**
 * Devices beside a guest that runs: nothing goes wrong under any scheme, and what is planted is found.
 */
import { afterEach, expect, test } from "vitest";
import { Planting } from "../../check/dma/planting.ts";
import { Contexts } from "../../guest/contexts.ts";
import { Processors } from "../../guest/processors.ts";
import { Vcpu } from "../../machine/vcpu.ts";
import { TdpTables } from "../../engines/kvm/tdp-tables.ts";
import { Pins } from "../../hypervisor/memory/pins.ts";
import { Snapshots } from "../../hypervisor/memory/snapshots.ts";
import type { Platform } from "../../hypervisor/platform.ts";
import { DeviceDirtyLog, DirtyBitsHost } from "../../viommu/dirty-dma.ts";
import { type BesideScheme, besideSchemes } from "./computer-beside.ts";
import { type BesideOutcome, besideEngines, fuzzBeside } from "./fuzz-beside.ts";
import { PinnedPages } from "./guest-beside.ts";

/** What `TdpTables` keeps to itself. */
interface Flushing {
  readonly platform: Platform;
  flush(): void;
}

/** What `Contexts` keeps to itself. */
interface Choosing {
  readonly heard: Int32Array;
  chooseAsid(space: { readonly generation: number }): boolean;
}

const engineOf = (seed: number) => besideEngines[seed % besideEngines.length] ?? "";

function hunt(
  seeds: number,
  operations: number,
  schemes: readonly BesideScheme[] = besideSchemes,
): BesideOutcome[] {
  const outcomes: BesideOutcome[] = [];
  for (let round = 0; round < seeds; round++) {
    for (const [i, scheme] of schemes.entries()) {
      const seed = round * schemes.length + i + 1;
      const flush = round % 2 === 0 ? "strict" : "lazy";
      const engine = engineOf(seed);
      const one = fuzzBeside({ scheme, engine, flush, seed, operations, accessesEach: 12 });
      outcomes.push(one);
      if (one.problem !== null) return outcomes;
    }
  }
  return outcomes;
}

const sum = (outcomes: readonly BesideOutcome[], name: "deviceAccesses" | "cpuAccesses") =>
  outcomes.reduce((total, outcome) => total + outcome[name], 0);

test("every access of devices and one to three processors is right, and no migration loses a write", () => {
  const outcomes = hunt(2, 250);
  expect(outcomes.map(({ problem }) => problem).filter((problem) => problem !== null)).toEqual([]);
  expect(sum(outcomes, "deviceAccesses")).toBeGreaterThan(20_000);
  expect(sum(outcomes, "cpuAccesses")).toBeGreaterThan(100_000);
  expect(outcomes.filter(({ migrated }) => migrated).length).toBeGreaterThan(1);
  expect(outcomes.some(({ staleReached }) => staleReached > 0)).toBe(true);
  expect(new Set(outcomes.map(({ vcpus }) => vcpus))).toEqual(new Set([1, 2, 3]));
  expect(outcomes.filter(({ shootdowns }) => shootdowns > 10).length).toBeGreaterThan(5);
});

test("a seed decides everything", () => {
  const options = { scheme: "shadow-cm", engine: "kvm-ept", flush: "strict" } as const;
  const run = (seed: number) => fuzzBeside({ ...options, seed, operations: 150, accessesEach: 8 });
  expect(run(5)).toEqual(run(5));
  expect(run(6)).not.toEqual(run(5));
});

const planting = new Planting();
const around: Planting["around"] = (...what) => planting.around(...what);
const nothing = () => undefined;

const planted: readonly (readonly [what: string, scheme: BesideScheme, plant: () => void])[] = [
  [
    "a pinned page is swapped out",
    "shadow-cm",
    () => around(Pins.prototype, "othersIn", (_self, _in, start, frames) => [{ start, frames }]),
  ],
  [
    "pinned pages are merged, shared and taken like others",
    "virtio",
    () => around(Pins.prototype, "has", () => false),
  ],
  [
    "a snapshot shares what devices go on writing",
    "shadow-wp",
    () =>
      around(Snapshots.prototype, "hold", (_self, hold, ...range) => {
        const all = new Planting();
        all.around(Pins.prototype, "has", () => false);
        const pages = hold(...range);
        all.end();
        return pages;
      }),
  ],
  [
    "a device does not log its writes",
    "shadow-cm",
    () => around(DeviceDirtyLog.prototype, "wrote", nothing),
  ],
  [
    "a device's log is not read before an unmapping",
    "shadow-cm",
    () => around(DeviceDirtyLog.prototype, "collectIn", () => new Set()),
  ],
  [
    "D bits are taken and the IOTLB keeps them",
    "pinned",
    () => around(DirtyBitsHost.prototype, "flush", nothing),
  ],
  [
    "what the host changes stays cached by the other processors",
    "pinned",
    () =>
      around(TdpTables.prototype as unknown as Flushing, "flush", ({ platform }) =>
        platform.vcpus[0]?.mmu.flushNested(),
      ),
  ],
  [
    "with pages pinned, the hypervisor's flush forgets the second processor",
    "shadow-cm",
    () =>
      around(TdpTables.prototype as unknown as Flushing, "flush", ({ platform }) => {
        for (const { id, mmu } of platform.vcpus) if (id !== 1) mmu.flushNested();
      }),
  ],
  [
    "a kernel flushes on its own processor, and other threads of the process go on",
    "shadow-cm",
    () => around(Processors.prototype, "flush", nothing),
  ],
  [
    "a processor comes back to a PCID that another one's flush has made stale",
    "virtio",
    () =>
      around(Contexts.prototype as unknown as Choosing, "chooseAsid", (self, choose, space) => {
        self.heard.fill(space.generation);
        return choose(space);
      }),
  ],
  [
    "the second processor's stores are not logged while the guest migrates",
    "shadow-cm",
    () =>
      around(Vcpu.prototype, "setControls", (self, set, controls) =>
        set(self.id === 1 ? { ...controls, pml: null } : controls),
      ),
  ],
  [
    "what was unpinned since the last reading is forgotten",
    "shadow-pri",
    () =>
      around(PinnedPages.prototype, "unpin", (self, unpin, gfn) => {
        unpin(gfn);
        self.released.delete(gfn);
      }),
  ],
];

afterEach(() => planting.end());

test.each(planted)("it is found that %s", (_what, scheme, plant) => {
  plant();
  let found: string | null = null;
  try {
    found = hunt(60, 250, [scheme]).at(-1)?.problem ?? null;
  } catch (error) {
    found = error instanceof Error ? error.message : String(error);
  }
  expect(found).toMatch(
    /^(?:lost|stale|foreign|data|bug: )|migration: gfn|old data|was moved|reached pfn|others use|does not report it|used stale translations/,
  );
});
