/**
 * Processors as data: sizes and shapes of every translation cache, with a source for each number.
 *
 * `null` switches a structure off. Entries = sets x ways; sets are powers of two.
 */

import type { NodePlan } from "./nodes.ts";

/**
 * One set-associative structure with true LRU.
 *
 * Model: real ones hash their index and replace by approximations of LRU that nobody publishes. Bias: unknown,
 * the same in every scheme.
 */
export interface Geometry {
  readonly sets: number;
  readonly ways: number;
}

/** Line of a data-cache level that walk references go through. */
export interface DataCacheLevel extends Geometry {
  readonly lineBytes: 64;
}

export interface DataCaches {
  readonly l1: DataCacheLevel;
  readonly l2: DataCacheLevel;
  readonly llc: DataCacheLevel;
  /** Is the last level's set a hash of the whole line number, as slices make it, or its low bits? */
  readonly hashesLlc: boolean;
  /** Do the program's own lines go through the same caches, and push table lines out? */
  readonly programLines: boolean;
  /** Does a program's line that misses L2 bring the other half of its 128 bytes along, into L2 and the last level? */
  readonly pairPrefetch: boolean;
}

export interface Preset {
  readonly title: string;
  /** Where the numbers come from; `assumed` marks those that no source gives. */
  readonly sources: readonly string[];
  /** Split first-level TLBs by page size. */
  readonly l1Data: {
    readonly "4k": Geometry | null;
    readonly "2m": Geometry | null;
    readonly "1g": Geometry | null;
  };
  readonly l1Code: { readonly "4k": Geometry | null; readonly "2m": Geometry | null };
  /** Unified second level for 4 KiB pages, and for 2 MiB pages where `stlb2m`. */
  readonly stlb: Geometry | null;
  readonly stlb2m: boolean;
  /** Second level for 1 GiB pages. */
  readonly stlb1g: Geometry | null;
  /** Paging-structure caches by the level of the cached entry: 2 is PDE, 3 PDPTE, 4 PML4E, 5 PML5E. */
  readonly pwc: Readonly<Record<2 | 3 | 4 | 5, Geometry | null>>;
  /** The same for the nested dimension's tables. */
  readonly nestedPwc: Readonly<Record<2 | 3 | 4 | 5, Geometry | null>>;
  /** Does the nested walk of the page itself, the last of a two-dimensional walk, leave them out? Absent: no. */
  readonly lastWalkUncached?: boolean;
  /** gfn to pfn, used inside walks. */
  readonly nestedTlb: Geometry | null;
  /** Caches that walk references go through; null: a reference has one price. */
  readonly dataCache: DataCaches | null;
  /** Does the processor tag translations by virtual CPU (VPID, ASID)? */
  readonly vpid: boolean;
  /** Does it have PCID? */
  readonly pcid: boolean;
  /** Nodes that memory lies on, where the preset has data caches; absent: one. */
  readonly nodes?: NodePlan | null;
}

const off: Readonly<Record<2 | 3 | 4 | 5, null>> = { 2: null, 3: null, 4: null, 5: null };

/** Two PML4E, four PDPTE and 32 PDE entries. A fifth level is cached like the fourth. */
const intelPwc = {
  2: { sets: 8, ways: 4 },
  3: { sets: 1, ways: 4 },
  4: { sets: 1, ways: 2 },
  5: { sets: 1, ways: 2 },
} as const;

const amdPwc = {
  2: { sets: 16, ways: 4 },
  3: { sets: 1, ways: 24 },
  4: { sets: 1, ways: 24 },
  5: { sets: 1, ways: 24 },
} as const;

const skylakeTranslation = {
  l1Data: { "4k": { sets: 16, ways: 4 }, "2m": { sets: 8, ways: 4 }, "1g": { sets: 1, ways: 4 } },
  l1Code: { "4k": { sets: 16, ways: 8 }, "2m": { sets: 1, ways: 8 } },
  stlb: { sets: 128, ways: 12 },
  stlb2m: true,
  stlb1g: { sets: 4, ways: 4 },
  pwc: intelPwc,
  nestedPwc: intelPwc,
  nestedTlb: { sets: 1, ways: 16 },
  vpid: true,
  pcid: true,
} as const;

export const presets = {
  textbook: {
    title: "No caches at all: every access walks, every walk costs its closed form",
    sources: ["by definition"],
    l1Data: { "4k": null, "2m": null, "1g": null },
    l1Code: { "4k": null, "2m": null },
    stlb: null,
    stlb2m: false,
    stlb1g: null,
    pwc: off,
    nestedPwc: off,
    nestedTlb: null,
    dataCache: null,
    vpid: true,
    pcid: true,
  },
  "p4-vtx": {
    title: "Pentium 4 672: first VT-x, no EPT, no VPID, no PCID (2005)",
    sources: [
      "Intel 64 and IA-32 Optimization Reference Manual, NetBurst: DTLB 64 entries fully associative, ITLB 128 entries",
      "assumed: ITLB 4-way; the 2 MiB pages share the data TLB's size; no second level, no paging-structure caches",
    ],
    l1Data: { "4k": { sets: 1, ways: 64 }, "2m": { sets: 1, ways: 64 }, "1g": null },
    l1Code: { "4k": { sets: 32, ways: 4 }, "2m": { sets: 32, ways: 4 } },
    stlb: null,
    stlb2m: false,
    stlb1g: null,
    pwc: off,
    nestedPwc: off,
    nestedTlb: null,
    dataCache: null,
    vpid: false,
    pcid: false,
  },
  nehalem: {
    title: "Nehalem Xeon X5570: first EPT and VPID, no PCID (2009)",
    sources: [
      "Intel 64 and IA-32 Optimization Reference Manual, Nehalem: DTLB 64 x 4-way (4K), 32 x 4-way (2M), ITLB 128 x 4-way and 7 (2M), STLB 512 x 4-way, 4K only",
      "GE-002: PDPTE cache of 4 entries up to Ivy Bridge",
      "assumed: PDE cache 32 x 4-way, PML4E cache 2, the same for the nested dimension, nested TLB 16",
    ],
    l1Data: { "4k": { sets: 16, ways: 4 }, "2m": { sets: 8, ways: 4 }, "1g": null },
    l1Code: { "4k": { sets: 32, ways: 4 }, "2m": { sets: 1, ways: 7 } },
    stlb: { sets: 128, ways: 4 },
    stlb2m: false,
    stlb1g: null,
    pwc: intelPwc,
    nestedPwc: intelPwc,
    nestedTlb: { sets: 1, ways: 16 },
    dataCache: null,
    vpid: true,
    pcid: false,
  },
  "skylake-sp": {
    title: "Skylake-SP Xeon Gold 6138: EPT with A/D bits, PML, VPID, PCID (2017)",
    sources: [
      "DM24-075, DM24-077: L1 DTLB 64 x 4-way, STLB 1536 x 12-way (GE-001 reports 6-way: the manual's 12 is used)",
      "DM24-078, AS19-012: paging-structure caches 2 / 4 / 32, one set for the guest and one for the host",
      "Intel 64 and IA-32 Optimization Reference Manual, Skylake: DTLB 32 x 4-way (2M), 4 (1G), ITLB 128 x 8-way and 8 (2M), STLB 1G 16 x 4-way",
      "assumed: nested TLB 16 entries (BH08-007 models 16)",
    ],
    ...skylakeTranslation,
    dataCache: null,
  },
  "skylake-sp-caches": {
    title: "Skylake-SP whose lines, tables' and program's, go through L1, L2, last level and DRAM",
    sources: [
      "as skylake-sp",
      "Intel 64 and IA-32 Optimization Reference Manual, Skylake Server: L1D 32 KiB 8-way, L2 1 MiB 16-way",
      "the same manual, Data Prefetching: the L2 spatial prefetcher completes the 128-byte pair of a line",
      "assumed: last level 22 MiB, 11-way, inclusive, its set a hash of the line as slices make it",
    ],
    ...skylakeTranslation,
    dataCache: {
      l1: { sets: 64, ways: 8, lineBytes: 64 },
      l2: { sets: 1024, ways: 16, lineBytes: 64 },
      llc: { sets: 32_768, ways: 11, lineBytes: 64 },
      hashesLlc: true,
      programLines: true,
      pairPrefetch: true,
    },
  },
  zen2: {
    title: "Zen 2: NPT, ASID, no PCID (2019)",
    sources: [
      "GE-005 (recalled): L1 DTLB 64 fully associative, L2 DTLB 2048 x 16-way; GE-008 (recalled): page-directory cache 64",
      "BH08-007 (recalled): nested TLB 16",
      "assumed: one bank per page size, ITLB like the DTLB, page-directory cache 4-way, upper levels 24 (GE-002), nested dimension alike",
    ],
    l1Data: {
      "4k": { sets: 1, ways: 64 },
      "2m": { sets: 1, ways: 64 },
      "1g": { sets: 1, ways: 64 },
    },
    l1Code: { "4k": { sets: 1, ways: 64 }, "2m": { sets: 1, ways: 64 } },
    stlb: { sets: 128, ways: 16 },
    stlb2m: true,
    stlb1g: null,
    pwc: amdPwc,
    nestedPwc: amdPwc,
    nestedTlb: { sets: 1, ways: 16 },
    dataCache: null,
    vpid: true,
    pcid: false,
  },
  yardstick: {
    title: "Geometry of the C program that speed is measured against",
    sources: [
      "L1 64 x 4-way for 4K and for 2M pages, STLB 1536 x 12-way, PML4E / PDPTE / PDE caches 2 / 4 / 32, nested TLB 16, no nested walk caches",
    ],
    l1Data: { "4k": { sets: 16, ways: 4 }, "2m": { sets: 16, ways: 4 }, "1g": null },
    l1Code: { "4k": { sets: 16, ways: 4 }, "2m": { sets: 16, ways: 4 } },
    stlb: { sets: 128, ways: 12 },
    stlb2m: true,
    stlb1g: null,
    pwc: intelPwc,
    nestedPwc: off,
    nestedTlb: { sets: 1, ways: 16 },
    dataCache: null,
    vpid: true,
    pcid: true,
  },
  "qemu-svm": {
    title: "AMD processor with SVM as QEMU 7.2 emulates it (TCG)",
    sources: [
      "QEMU target/i386/tcg: the whole TLB is flushed at VMRUN and #VMEXIT, so an ASID saves nothing",
      "QEMU accel/tcg/cputlb.c: one software TLB for code and data, no paging-structure or nested caches",
      "its size varies with use up to 2^16 entries; assumed: 1024 x 4, large enough for every trace",
    ],
    l1Data: { "4k": null, "2m": null, "1g": null },
    l1Code: { "4k": null, "2m": null },
    stlb: { sets: 1024, ways: 4 },
    stlb2m: true,
    stlb1g: null,
    pwc: off,
    nestedPwc: off,
    nestedTlb: null,
    dataCache: null,
    vpid: false,
    pcid: false,
  },
} as const satisfies Record<string, Preset>;

export type PresetName = keyof typeof presets;
