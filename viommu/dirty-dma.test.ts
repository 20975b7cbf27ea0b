import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { fastMmu } from "../machine/fast.ts";
import { DeviceDirtyLog, DirtyBitsHost, pinnedIsDirty } from "./dirty-dma.ts";
import { DmaMachine } from "./dma-machine.ts";
import { smallMachine } from "./small-machine.ts";

function host(backing: "4k" | "2m", preset: "vt-d" | "textbook" = "vt-d") {
  const machine = new DmaMachine({
    guestFrames: 4096,
    isBare: false,
    backing,
    preset,
    factory: fastMmu,
    devices: 1,
    scalable: true,
    ats: false,
    seed: 3,
  });
  const dirty = new DirtyBitsHost(machine);
  const [device] = machine.devices;
  if (device === undefined) throw new Error("bug: no device");
  const access = (gfn: number, kind: "read" | "write") => machine.iommu.access(device, gfn, kind);
  return { machine, dirty, access };
}

const rounds = fc.array(
  fc.array(fc.record({ gfn: fc.nat(4095), kind: fc.constantFrom("read", "write") }), {
    maxLength: 60,
    size: "max",
  }),
  { minLength: 1, maxLength: 4, size: "max" },
);

describe("second-level D bits", () => {
  // Seen failing with the IOTLB not flushed after the bits were taken: writes of cached pages were not logged.
  test.each([
    ["4k", 1],
    ["2m", 512],
  ] as const)("on %s pages report what was written, in leaves of %i", (backing, leaf) => {
    fc.assert(
      fc.property(rounds, (all) => {
        const { dirty, access } = host(backing);
        for (const accesses of all) {
          const expected = new Set<number>();
          for (const { gfn, kind } of accesses) {
            access(gfn, kind === "write" ? "write" : "read");
            if (kind !== "write") continue;
            const first = gfn - (gfn % leaf);
            for (let i = 0; i < leaf; i++) expected.add(first + i);
          }
          expect(dirty.collect()).toEqual(expected);
        }
      }),
      { numRuns: 12 },
    );
  });

  test("without the flush, a cached page is written unseen", () => {
    const { dirty, access } = host("4k");
    access(77, "write");
    vi.spyOn(dirty, "flush").mockReturnValue();
    expect([...dirty.collect()]).toEqual([77]);
    access(77, "write");
    expect([...dirty.collect()]).toEqual([]);
  });
});

test("a device's log has what it wrote in the ranges that it was told, as the guest has them now", () => {
  const log = new DeviceDirtyLog(100, 200);
  for (const page of [99, 100, 150, 199, 200]) log.wrote(page);
  // The guest has unmapped page 199 meanwhile.
  const gfnOf = (page: number) => (page === 199 ? null : page + 1000);
  expect([...log.collect(gfnOf)]).toEqual([1100, 1150]);
  expect([...log.collect(gfnOf)]).toEqual([]);
});

test("without either, all that is pinned is dirty: everything with no IOMMU, what is mapped under a shadow", () => {
  const pinned = smallMachine("pinned").machine;
  expect(pinnedIsDirty(pinned).size).toBe(8192);
  const { machine, api } = smallMachine("shadow-cm");
  api.map([{ frame: 4096, pages: 6 }], "read");
  // A device may only read them: that is not known here.
  expect([...pinnedIsDirty(machine)]).toEqual([4096, 4097, 4098, 4099, 4100, 4101]);
});
