/** Hardware that is kept from point to point: what is shared, and that nothing of an earlier point is left in it. */
import { expect, test } from "vitest";
import { hardwareFor } from "./hardware.ts";
import { Machine } from "./machine.ts";
import type { Pfn } from "./address.ts";
import { presets } from "./presets.ts";

const size = { guestFrames: 1024, vcpus: 2, seed: 1, backing: "4k", nestedLevels: 4 } as const;
const build = (options: Partial<typeof size> = {}) => {
  const preset = presets.textbook;
  const all = { ...size, placement: "scatter", preset, ...options } as const;
  return new Machine({ ...all, ...hardwareFor(preset) });
};

// Planted: a room that is not reset, a unit that is not, a unit handed out twice.
test("a machine on kept hardware starts with empty memory, and each vCPU has a unit of its own", () => {
  const first = build();
  first.memory.write(5 as Pfn, 7, 1, 2);
  first.memory.stamps[5] = 9;
  const [one, two] = first.vcpus;
  expect(one!.mmu).not.toBe(two!.mmu);
  const second = build();
  expect(second.memory).toBe(first.memory);
  expect(second.vcpus.map(({ mmu }) => mmu)).toEqual([one!.mmu, two!.mmu]);
  expect([second.memory.readLow(5 as Pfn, 7), second.memory.readHigh(5 as Pfn, 7)]).toEqual([0, 0]);
  expect(second.memory.stamps[5]).toBe(0);
  expect(second.snapshot().ledger.accesses).toBe(0);
});

test("hardware is kept by processor, whatever object describes it", () => {
  expect(hardwareFor({ ...presets.textbook })).toBe(hardwareFor(presets.textbook));
  expect(hardwareFor(presets.zen2)).not.toBe(hardwareFor(presets.textbook));
});
