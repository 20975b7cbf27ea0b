/** Caches under which the differential test lives: each lacks something, or has too little of it. */
import { type Preset, presets } from "../presets.ts";
import { tinyPreset } from "./fixture.ts";

const noBanks = { "4k": null, "2m": null, "1g": null };
export const differentialPresets: readonly Preset[] = [
  presets.textbook,
  presets.yardstick,
  tinyPreset,
  { ...tinyPreset, l1Data: { ...noBanks, "4k": { sets: 4, ways: 3 } }, stlb1g: null },
  { ...tinyPreset, l1Data: { ...noBanks, "2m": { sets: 2, ways: 1 } }, nestedTlb: null },
  { ...tinyPreset, l1Data: noBanks, l1Code: { "4k": null, "2m": null }, pwc: presets.textbook.pwc },
  {
    ...tinyPreset,
    l1Data: { "4k": { sets: 1, ways: 4 }, "2m": { sets: 1, ways: 2 }, "1g": { sets: 1, ways: 1 } },
    stlb: { sets: 1, ways: 3 },
  },
  { ...tinyPreset, nestedTlb: null, lastWalkUncached: true },
  { ...tinyPreset, stlb: null, nestedPwc: presets.textbook.nestedPwc },
  {
    ...tinyPreset,
    l1Data: { "4k": { sets: 16, ways: 4 }, "2m": { sets: 8, ways: 4 }, "1g": { sets: 1, ways: 4 } },
    stlb: { sets: 128, ways: 8 },
    stlb2m: false,
    dataCache: {
      l1: { sets: 1, ways: 2, lineBytes: 64 },
      l2: { sets: 2, ways: 2, lineBytes: 64 },
      llc: { sets: 4, ways: 2, lineBytes: 64 },
      hashesLlc: true,
      programLines: true,
      pairPrefetch: true,
    },
    nestedTlb: { sets: 16, ways: 4 },
  },
];
