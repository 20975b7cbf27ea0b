/**
 * Processors as data: sizes and shapes of every translation cache, with a source for each number.
 *
 * `null` switches a structure off. Entries = sets x ways; sets are powers of two.
 */

/** One set-associative structure with true LRU. */
export interface Geometry {
  readonly sets: number;
  readonly ways: number;
}

/** Line of a data-cache level that walk references go through. */
export interface DataCacheLevel extends Geometry {
  readonly lineBytes: 64;
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
  /** Unified second level for 4 KiB and 2 MiB pages. */
  readonly stlb: Geometry | null;
  /** Second level for 1 GiB pages. */
  readonly stlb1g: Geometry | null;
  /** Paging-structure caches by the level of the cached entry: 2 is PDE, 3 PDPTE, 4 PML4E, 5 PML5E. */
  readonly pwc: Readonly<Record<2 | 3 | 4 | 5, Geometry | null>>;
  /** The same for the nested dimension's tables. */
  readonly nestedPwc: Readonly<Record<2 | 3 | 4 | 5, Geometry | null>>;
  /** gfn to pfn, used inside walks. */
  readonly nestedTlb: Geometry | null;
  /** Caches that walk references go through; null: a reference has one price. */
  readonly dataCache: {
    readonly l1: DataCacheLevel;
    readonly l2: DataCacheLevel;
    readonly llc: DataCacheLevel;
  } | null;
  /** Does the processor tag translations by virtual CPU (VPID, ASID)? */
  readonly vpid: boolean;
  /** Does it have PCID? */
  readonly pcid: boolean;
}

const off: Readonly<Record<2 | 3 | 4 | 5, null>> = { 2: null, 3: null, 4: null, 5: null };

export const presets = {
  textbook: {
    title: "No caches at all: every access walks, every walk costs its closed form",
    sources: ["by definition"],
    l1Data: { "4k": null, "2m": null, "1g": null },
    l1Code: { "4k": null, "2m": null },
    stlb: null,
    stlb1g: null,
    pwc: off,
    nestedPwc: off,
    nestedTlb: null,
    dataCache: null,
    vpid: true,
    pcid: true,
  },
  "qemu-svm": {
    title: "AMD processor with SVM as QEMU 7.2 emulates it (TCG)",
    sources: [
      "QEMU target/i386/tcg: the whole TLB is flushed at VMRUN and #VMEXIT, so an ASID saves nothing",
      "QEMU accel/tcg/cputlb.c: one software TLB for code and data, no paging-structure or nested caches",
      "its size varies with use up to 2^16 entries; assumed: 4096 x 4, large enough for every trace",
    ],
    l1Data: { "4k": null, "2m": null, "1g": null },
    l1Code: { "4k": null, "2m": null },
    stlb: { sets: 4096, ways: 4 },
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
