/**
 * What the differential test does to a unit of translation hardware, as data: operations and where they act.
 *
 * Few pages on both sides of table boundaries and few frames, so that operations collide.
 */
import type { PagingLevels } from "../address.ts";
import { D, G, NX_HIGH, U, W } from "../entry.ts";
import { HLAT_RESTART } from "../formats/x86.ts";
import type { Isa } from "../isa/isa.ts";
import type { Preset } from "../presets.ts";

/** Pages on both sides of boundaries between tables of each level. */
export const pages: readonly number[] = [
  0,
  1,
  2,
  3,
  511,
  512,
  513,
  1026,
  2 ** 18 - 1,
  2 ** 18,
  2 ** 18 + 5,
  2 ** 27 - 1,
  2 ** 27,
  2 ** 36,
  2 ** 36 + 1,
];

/** A frame outside memory that nested tables map, by a part of a wide root that is not the first. */
const farFrame = 0xf000_0000;

/** Frames that guest leaves map; a large page takes the aligned frame below. The last are outside memory. */
export const frames: readonly number[] = [
  600,
  601,
  602,
  1100,
  1024,
  1025,
  2048,
  2560,
  3072,
  3584,
  0,
  4095,
  2 ** 18,
  100_000,
  farFrame,
];
export const framesInside = 12;
export const farPick = frames.indexOf(farFrame);

/** Guest frames whose nested entries are rewritten: guest tables, data, large pages. */
export const gfns: readonly number[] = [
  1,
  2,
  3,
  5,
  8,
  13,
  21,
  34,
  600,
  601,
  602,
  1024,
  1100,
  2048,
  2560,
  farFrame,
];

/** Guest frames that the nested tables map at the start: tables, and what `pages` reach in pages of any size. */
export const mappedGfns: ReadonlySet<number> = new Set([
  ...Array.from({ length: 48 }, (_, i) => i),
  ...frames.slice(0, framesInside),
  farFrame,
  ...[0, 512, 1024, 1536, 2048, 2560, 3072, 3584].flatMap((start) =>
    [0, 1, 2, 3, 5, 511].map((offset) => start + offset),
  ),
]);

/** What pages start as beside P|W|U, by turns: plain, global, read-only, supervisor's, not executable. */
export const variety: readonly (readonly [flags: number, high: number])[] = [
  [0, 0],
  [G, 0],
  [0, 0],
  [W | D, 0],
  [G, 0],
  [U, 0],
  [0, NX_HIGH],
  [HLAT_RESTART, 0],
];

export interface EntryValue {
  /** `link` and `leaf` as it should be, `astray` links the table of another page. */
  readonly kind: "link" | "leaf" | "astray" | "absent";
  /** XORed into the usual flags. */
  readonly flags: number;
  /** ORed into the high half: NX and reserved bits. */
  readonly high: number;
  /** Index into `frames` or `pages`. */
  readonly pick: number;
}

/** A tree by number: two guest trees, then EPT, then NPT. */
export type TreeNumber = 0 | 1 | 2 | 3;

export interface Configuration {
  readonly nested:
    | "none"
    | "ept"
    | "ept-ad"
    | "ept-mbec"
    | "ept-pw"
    | "ept-pw-ad"
    | "ept-spp"
    | "ept-spp-ad"
    | "ept-sss"
    | "ept-views"
    | "npt";
  /** Is tree 1 asked first, and for which addresses? Under nested paging alone. */
  readonly asked: "nobody" | "always" | "upper-half";
  /** Are there shadow stacks? Where nobody is asked first. Absent: no. */
  readonly stacks?: boolean;
  readonly nestedLevels: PagingLevels;
  readonly levels: PagingLevels;
  readonly writeProtect: boolean;
  readonly globalPages: boolean;
  readonly vpid: number;
}

/** Tables that are asked first know none. */
export function hasStacks({ stacks = false, asked, nested }: Configuration): boolean {
  return stacks && (asked === "nobody" || nested === "none");
}

export type Op =
  | {
      readonly op: "run";
      /** `page` is an index into `pages`, `kind` the top bits of the high column. */
      readonly accesses: readonly { readonly page: number; readonly kind: number }[];
      /** Does silicon drop what a fault or violation drops, and the hypervisor drain the PML buffer? */
      readonly reported: boolean;
    }
  | {
      readonly op: "entry";
      readonly tree: TreeNumber;
      readonly page: number;
      readonly level: number;
      readonly value: EntryValue;
    }
  /** A read of the page, its entry in the current tree rewritten without a flush, then another access. */
  | {
      readonly op: "rewrite";
      readonly page: number;
      readonly level: number;
      readonly value: EntryValue;
      /** Top bits of the high column of the access after. */
      readonly kind: number;
    }
  | {
      readonly op: "clear";
      readonly tree: TreeNumber;
      readonly page: number;
      readonly level: number;
      /** Flags that go. */
      readonly flags: number;
    }
  | {
      readonly op: "table";
      readonly tree: TreeNumber;
      readonly page: number;
      readonly level: number;
      readonly to: "zeros" | "copy";
    }
  /** Sub-page permissions of a guest frame: the vector says which of its lines may be written, or an entry above is spoilt. */
  | {
      readonly op: "lines";
      /** Index into `gfns`. */
      readonly gfn: number;
      readonly level: number;
      readonly value: "vector" | "miss" | "malformed";
      readonly lines: number;
    }
  | { readonly op: "rebuild" }
  | {
      readonly op: "invalidate";
      readonly scope: "page" | "fault" | "page-of" | "leaf-of" | "violation";
      readonly page: number;
      readonly gfn: number;
      readonly pcid: number;
    }
  | {
      readonly op: "flush";
      readonly scope: "context" | "non-global" | "linear" | "nested";
      readonly pcid: number;
    }
  | { readonly op: "root"; readonly tree: 0 | 1; readonly pcid: number }
  | { readonly op: "configure"; readonly configuration: Configuration }
  /** Other nested tables, where there are views: those of Intel's, or those of AMD's read as Intel's. */
  | { readonly op: "view"; readonly tree: 2 | 3 }
  /** Another processor, with data caches of its own. */
  | { readonly op: "move"; readonly node: number }
  | { readonly op: "pml"; readonly to: "on" | "off" | "reset" }
  /** Fills the PML buffer until `left` entries are free. */
  | { readonly op: "fill-pml"; readonly left: number };

export interface Start {
  readonly preset: Preset;
  /**
   * Whose entries both dimensions have. But for x86-64's, five nested levels stand for three below a root of four tables.
   * Those of operations are x86-64's, which it turns into its own. */
  readonly isa: Isa;
  readonly configuration: Configuration;
  /** XORed into a guest frame's number to give its host frame under nested paging. */
  readonly placedAt: number;
  /** Those of `pages` that this life is about; few, so that what it does to them collides. */
  readonly pages: readonly number[];
}
