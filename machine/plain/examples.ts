/**
 * Lives in which an earlier version of the fast unit differed from the plain one: kept, as they are rare.
 *
 * The first three are about a 1 GiB page that replaces cached 4 KiB pages without a flush. No lookup may find two entries,
 * in the second level (the first life) or in the nested TLB (the third); a dirty assist in L1 brings up to
 * date the first match of the second level only (the second life). The fourth enters a 4 KiB piece after a 2 MiB
 * one that the second level cannot hold: a fetch must find it there.
 *
 * In the last two nested A and D are switched on, or off, without a flush: whether a walk may mark an entry of a table is
 * what was known when that table was cached.
 */
import { x86Isa } from "../isa/x86.ts";
import { FETCH, STORE, USER } from "../mmu.ts";
import { type Preset, presets } from "../presets.ts";
import { tinyPreset } from "./fixture.ts";
import { type Configuration, type EntryValue, frames, type Op, type Start } from "./operation.ts";

const configuration: Configuration = {
  nested: "none",
  asked: "nobody",
  nestedLevels: 4,
  levels: 4,
  writeProtect: true,
  globalPages: true,
  vpid: 1,
};
const leaf: EntryValue = { kind: "leaf", flags: 0, high: 0, pick: 0 };
const { l1Data, l1Code, pwc } = presets.textbook;
const secondLevelOnly: Preset = { ...tinyPreset, l1Data, l1Code, pwc };

const nestedTlbOnly: Preset = { ...tinyPreset, stlb: null, nestedPwc: presets.textbook.nestedPwc };

const smallSecondLevel: Preset = { ...tinyPreset, stlb2m: false };

const start = (preset: Preset, pages: readonly number[]): Start => {
  return { preset, isa: x86Isa, configuration, placedAt: 0, pages };
};
/** Accesses as [index of the page, kind]. */
const run = (...accesses: readonly (readonly [number, number])[]): Op => {
  return { op: "run", accesses: accesses.map(([page, kind]) => ({ page, kind })), reported: false };
};

export const foundLives: [start: Start, ops: Op[]][] = [
  [
    start(secondLevelOnly, [0, 513]),
    [
      { op: "rewrite", page: 0, level: 3, value: leaf, kind: FETCH },
      run([1, 0], [0, STORE | USER], [0, 0]),
      run([0, STORE]),
      run([0, 0]),
    ],
  ],
  [
    start(tinyPreset, [0, 2 ** 36, 513]),
    [
      { op: "rewrite", page: 2, level: 3, value: leaf, kind: USER },
      run([0, 0], [2, STORE]),
      run([1, 0], [0, STORE]),
    ],
  ],
  [
    { ...start(nestedTlbOnly, [1026, 0]), configuration: { ...configuration, nested: "npt" } },
    [
      run([1, 0]),
      { op: "entry", tree: 3, page: 0, level: 3, value: leaf },
      run([0, 0]),
      run([1, STORE | USER], [0, 0]),
      { op: "rewrite", page: 0, level: 2, value: { ...leaf, pick: 10 }, kind: STORE },
      { op: "rewrite", page: 0, level: 1, value: leaf, kind: STORE },
    ],
  ],
  [
    start(smallSecondLevel, [0, 513]),
    [
      { op: "entry", tree: 2, page: 0, level: 2, value: leaf },
      { op: "entry", tree: 1, page: 0, level: 3, value: leaf },
      { op: "root", tree: 1, pcid: 0 },
      { op: "configure", configuration: { ...configuration, nested: "ept-ad" } },
      run([0, 0], [1, 0]),
      run([1, FETCH], [0, 0]),
    ],
  ],
  [
    { ...start(tinyPreset, [0]), configuration: { ...configuration, nested: "ept" } },
    [
      run([0, 0]),
      { op: "configure", configuration: { ...configuration, nested: "ept-ad" } },
      run([0, 0]),
    ],
  ],
  [
    { ...start(tinyPreset, [0, 2]), configuration: { ...configuration, nested: "ept-ad" } },
    [
      { op: "entry", tree: 1, page: 1, level: 2, value: { ...leaf, pick: frames.indexOf(0) } },
      { op: "root", tree: 1, pcid: 1 },
      run([1, 0]),
      { op: "configure", configuration: { ...configuration, nested: "ept" } },
      { op: "root", tree: 0, pcid: 0 },
      run([0, 0]),
    ],
  ],
];
