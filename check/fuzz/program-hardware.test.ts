/**
 * The hardware that programs run on is never what a program fails for.
 */
import { expect, test } from "vitest";
import type { Pfn } from "../../machine/address.ts";
import { fastMmu } from "../../machine/fast.ts";
import { Machine, shareHost } from "../../machine/machine.ts";
import { memoryFrames } from "./guest-image.ts";
import { programHardware } from "./program-hardware.ts";
import { smallPresets } from "./small-presets.ts";

const preset = smallPresets.tiny;
const options = {
  preset,
  guestFrames: memoryFrames,
  vcpus: 3,
  seed: 1,
  backing: "4k",
  nestedLevels: 4,
  placement: "scatter",
} as const;

// Seen failing: "all 1536 slots used", told as a failure of the engine that needed one more.
test("every frame may hold bytes, of one guest and of a guest and its clone", () => {
  const alone = new Machine({ ...options, ...programHardware() }).memory;
  for (let pfn = 0; pfn < alone.frames; pfn++) alone.slot(pfn as Pfn);
  const [room] = shareHost(2, { ...options, ...programHardware() });
  const together = room?.memory ?? alone;
  expect(together.frames).toBeGreaterThan(alone.guestFrames * 2);
  for (let pfn = 0; pfn < together.frames; pfn++) together.slot(pfn as Pfn);
});

// Seen failing: a unit handed out twice, so that two vCPUs had one TLB.
test("every vCPU of a guest and its clone has a unit of its own, the same in the next machine", () => {
  const unitsOf = () => {
    const rooms = shareHost(2, { ...options, ...programHardware() });
    return rooms.flatMap((host) => {
      const { mmu } = programHardware();
      return new Machine({ ...options, host, mmu }).vcpus.map((vcpu) => vcpu.mmu);
    });
  };
  const first = unitsOf();
  expect(new Set(first).size).toBe(6);
  expect(unitsOf().every((unit, i) => unit === first[i])).toBe(true);
  const planted = new Machine({ ...options, ...programHardware(), mmu: fastMmu });
  expect(first).not.toContain(planted.vcpus[0]?.mmu);
});
