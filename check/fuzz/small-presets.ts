/**
 * Caches for fuzzing: real processors are so large that a short program never evicts, or never keeps.
 */
import type { Geometry, Preset } from "../../machine/presets.ts";

function all(geometry: Geometry): Readonly<Record<2 | 3 | 4 | 5, Geometry>> {
  return { 2: geometry, 3: geometry, 4: geometry, 5: geometry };
}

/** Everything is cached, and nearly everything is evicted soon. */
const tiny: Preset = {
  title: "Fuzzing: every cache there is, with two to four entries",
  sources: ["assumed: made up to evict often"],
  l1Data: { "4k": { sets: 1, ways: 2 }, "2m": { sets: 1, ways: 1 }, "1g": { sets: 1, ways: 1 } },
  l1Code: { "4k": { sets: 1, ways: 2 }, "2m": { sets: 1, ways: 1 } },
  stlb: { sets: 2, ways: 2 },
  stlb2m: false,
  stlb1g: { sets: 1, ways: 2 },
  pwc: all({ sets: 1, ways: 2 }),
  nestedPwc: all({ sets: 1, ways: 2 }),
  nestedTlb: { sets: 1, ways: 4 },
  dataCache: null,
  vpid: true,
  pcid: true,
};

/** Nothing is evicted, so whatever is not invalidated is used. */
const roomy: Preset = {
  title: "Fuzzing: every cache there is, large enough to keep everything",
  sources: ["assumed: made up to keep everything"],
  l1Data: { "4k": { sets: 16, ways: 4 }, "2m": { sets: 4, ways: 4 }, "1g": null },
  l1Code: { "4k": { sets: 16, ways: 4 }, "2m": { sets: 4, ways: 4 } },
  stlb: { sets: 64, ways: 8 },
  stlb2m: true,
  stlb1g: { sets: 4, ways: 4 },
  pwc: all({ sets: 4, ways: 8 }),
  nestedPwc: all({ sets: 4, ways: 8 }),
  nestedTlb: { sets: 16, ways: 8 },
  dataCache: null,
  vpid: true,
  pcid: true,
};

export const smallPresets = { tiny, roomy } as const;
