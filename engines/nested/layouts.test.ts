/**
 * Nested tables by layout: how many references a walk takes under each engine, and what memory the tables ask for.
 *
 * Planted bugs that `fuzz` finds: a flat table indexed by nine bits, a flattened table entered by its second index only, a
 * kept root that INVEPT leaves (once the host has moved the root's frame).
 */
import { describe, expect, test } from "vitest";
import type { Gfn } from "../../machine/address.ts";
import { presets } from "../../machine/presets.ts";
import type { Engine } from "../../hypervisor/engine.ts";
import type { FrameMemory } from "../../hypervisor/platform.ts";
import { eptFlat } from "../ept-flat.ts";
import { eptFolded } from "../ept-folded.ts";
import { ept } from "../ept.ts";
import { TestGuest } from "../kvm/test-guest.ts";

/** A guest whose processor caches nothing that walks use, and a page of it that is mapped everywhere. */
function guestOf(engine: Engine, backing: "4k" | "2m" | "1g" = "4k") {
  const guest = new TestGuest(engine, { backing, preset: presets.textbook });
  guest.load(guest.space(0, 4).root);
  guest.cost(() => guest.write(0));
  const { mmu } = guest.machine.vcpus[0]!;
  /** References of a walk, nothing cached but what silicon keeps of the root. */
  const walk = () => {
    guest.cost(() => guest.read(1));
    mmu.flushLinear();
    const { walkReferencesGuest, walkReferencesNested } = guest.cost(() => guest.read(0));
    return walkReferencesGuest + walkReferencesNested;
  };
  return { guest, walk };
}

describe("a walk of four guest levels takes", () => {
  test.each([
    ["ept", ept, "4k", 24],
    ["ept", ept, "2m", 19],
    ["ept", ept, "1g", 14],
    ["ept-flat", eptFlat, "4k", 8],
    ["ept-flat", eptFlat, "2m", 8],
    ["ept-folded", eptFolded, "4k", 14],
    ["ept-folded", eptFolded, "2m", 14],
    ["ept-folded", eptFolded, "1g", 9],
  ] as const)("%s", (_name, engine, backing, references) => {
    expect(guestOf(engine, backing).walk()).toBe(references);
  });
});

test("the host takes the frame of the root's table, and a kept root follows it", () => {
  const { guest, walk } = guestOf(eptFlat);
  walk();
  const root = { start: 0x100 as Gfn, frames: 1 };
  guest.cost(() => guest.host({ kind: "evict", ...root }));
  expect(guest.cost(() => guest.read(2))).toMatchObject({
    exitsEptViolation: 2,
    guestPageFaults: 0,
  });
  expect(walk()).toBe(8);
});

test("a flat table takes 8 bytes for every frame of the guest, flattened ones 4 MiB for the first", () => {
  const bytes = (engine: Engine) => guestOf(engine).guest.machine.memory.tableBytesPeak;
  const radix = bytes(ept);
  // Three tables above two of leaves, in place of which are 8 frames of entries for 4096 frames, or two times 2 MiB.
  expect(bytes(eptFlat)).toBe(radix - 5 * 4096 + 8 * 4096);
  expect(bytes(eptFolded)).toBe(radix - 5 * 4096 + 2 * 2 ** 21);
});

/** Flattened tables on a platform that has contiguous memory for the root alone. */
const fragmented: Engine = {
  ...eptFolded,
  create(platform) {
    let left = 1;
    const { memory } = platform;
    const allocateTables = (frames: number) => (left-- > 0 ? memory.allocateTables(frames) : null);
    const scarce = Object.create(memory, {
      allocateTables: { value: allocateTables },
    }) as FrameMemory;
    return eptFolded.create({ ...platform, memory: scarce });
  },
};

test("where no contiguous memory is left, tables of one level stand below the flattened root", () => {
  // (4 + 1)(3 + 1) - 1
  expect(guestOf(fragmented).walk()).toBe(19);
});
