/**
 * Every dirty tracker, under every policy, reports the same pages as a plain Set of what was written.
 */
import { describe, expect, test } from "vitest";
import { type Preset, presets } from "../../machine/presets.ts";
import { smallPresets } from "../fuzz/small-presets.ts";
import { type DirtyOutcome, runDirtyProgram } from "./dirty-program.ts";
import { type DirtyTarget, targets } from "./dirty-targets.ts";

const seeds = [1, 2, 3, 4, 23];

/** What some seeds add up to. */
function outcomeOf(
  target: DirtyTarget,
  preset: Preset = presets.textbook,
  ops = 700,
): DirtyOutcome {
  const sum = { gets: 0, reported: 0, dataDiffers: 0, tablesDiffer: 0 };
  for (const seed of seeds) {
    const one = runDirtyProgram({ ...target, preset, seed, ops });
    sum.gets += one.gets;
    sum.reported += one.reported;
    sum.dataDiffers += one.dataDiffers;
    sum.tablesDiffer += one.tablesDiffer;
  }
  return sum;
}

describe("without caches each report is exact, guest tables by rule", () => {
  // The rule: a guest table is written by stores to it and by A/D bits that are set in it; with A/D bits in
  // the nested entries, and always under NPT, by every walk that looks at it.
  // Seen failing: an undrained PML buffer at a clear, and at a second range; D inherited by the pieces of a
  // large leaf; a large leaf made writable because the frame that faulted is not logged; a ring reset without
  // arming; `wrote` left out for A/D bits that the shadow engine sets; D bits lost when a frame is reclaimed;
  // composed tables that are not brought up to date when L1's host has armed L2's log.
  test.each(Object.entries<DirtyTarget>(targets))("%s", (_, target) => {
    const { gets, reported, dataDiffers, tablesDiffer } = outcomeOf(target);
    expect({ dataDiffers, tablesDiffer }).toEqual({ dataDiffers: 0, tablesDiffer: 0 });
    expect(gets).toBeGreaterThan(100);
    expect(reported).toBeGreaterThan(300);
  });
});

describe("with caches of every kind the data frames are still exact", () => {
  // Seen failing: no flush after arming.
  test.each(Object.entries<DirtyTarget>(targets))("%s", (_, target) => {
    expect(outcomeOf(target, smallPresets.roomy, 500).dataDiffers).toBe(0);
  });
});
