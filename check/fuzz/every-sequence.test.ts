/**
 * All 20,736 sequences of four ops out of twelve on two pages: no gaps in a small space.
 */
import { expect, test } from "vitest";
import { type EngineName, engines } from "../../engines/index.ts";
import { fastMmu } from "../../machine/fast.ts";
import { presets } from "../../machine/presets.ts";
import { engineNames } from "../../engines/index.ts";
import { exhaust } from "./fuzz.ts";
import { everySequence } from "./every-sequence.ts";
import { hunt } from "./hunt.ts";
import { smallPresets } from "./small-presets.ts";

const nothing = () => undefined;

test("there are as many sequences as there should be, all different", () => {
  const seen = new Set<string>();
  for (const { groups } of everySequence(3)) {
    for (const group of groups) seen.add(JSON.stringify(group.slice(0, 3)));
  }
  expect(seen.size).toBe(12 ** 3);
});

/** One of each mechanism; the others differ in policy and take the shorter sequences. */
const mechanisms: readonly EngineName[] = ["native", "ept", "shadow", "shadow-lazy"];

// All sequences of five ops, 248,832 under each of 15 engines, passed too when this was written.
test.each(engineNames)("under %s every sequence is legal", (engine) => {
  const length = mechanisms.includes(engine) ? 4 : 3;
  const options = { engines: [engine], presets: ["roomy"], onProgress: nothing };
  const result = exhaust({ ...options, length });
  expect(result.failure).toBeNull();
  expect(result.programs).toBe(12 ** 2);
  expect(result.checked).toBeGreaterThan(length === 4 ? 170_000 : 10_000);
});

test("an INVLPG that does nothing is found, in the shortest way there is", () => {
  const { failure } = hunt({
    programs: everySequence(4),
    nextTargets: () => [
      {
        engine: "native",
        factory: engines.native.create,
        native: true,
        presetName: "roomy",
        preset: smallPresets.roomy,
        nestedLevels: 4,
        mmu: (memory, preset) => ({ ...fastMmu(memory, preset), invalidatePage: nothing }),
      },
    ],
    known: presets,
    onProgress: nothing,
  });
  // Use the page, change its entry, flush, use it again.
  expect(failure?.ops).toBe(4);
});
