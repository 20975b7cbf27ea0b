/**
 * The guest that fuzzing starts from: some address spaces over one small memory.
 *
 *     frames 0..511        free for stray mappings
 *     frames 512..1023     page tables: the kernel's, each space's, spare ones
 *     frames 1024..2047    data, two aligned 2 MiB blocks
 *
 * Every space maps the same user pages, drawn so that neighbours share some levels of tables and not others,
 * through tables of its own. The upper half is the kernel's: a direct map of all memory, shared by all spaces,
 * so that any table can be stored into. Entry 510 of a root may map the root itself.
 */
import type { Gfn, PagingLevels, Vpn } from "../../machine/address.ts";
import { indexAt, pagesPerEntry } from "../../machine/address.ts";
import {
  asGlobal,
  asLarge,
  freshPage,
  kernelLink,
  kernelPage,
  userLink,
} from "../../machine/formats/x86-entry.ts";
import { BootImage, entryTo } from "./program.ts";

export const memoryFrames = 2048;
const firstTable = 512;
export const firstData = 1024;
/** Root entry of the direct map: the first of the upper half. */
const kernelIndex = 256;
export const selfIndex = 510;

/** User pages: same PT, next PT, next PD, next PDPT; and with 5 levels, next PML4. */
const userPages = [0, 1, 2, 9, 511, 512, 513, 1027, 2 ** 18, 2 ** 18 + 5, 2 ** 27, 2 ** 27 + 512];

export interface ImageOptions {
  readonly levels: PagingLevels;
  readonly spaces: number;
  /** Page size of the direct map. */
  readonly direct: "4k" | "2m";
  /** Is the direct map global? */
  readonly globalKernel: boolean;
  readonly selfMap: boolean;
}

export interface Space {
  readonly root: Gfn;
  readonly pcid: number;
  /** Table frame by level and the number of the first page that the table maps. */
  readonly tables: ReadonlyMap<string, Gfn>;
}

export interface GuestImage {
  readonly levels: PagingLevels;
  readonly image: BootImage;
  readonly spaces: readonly Space[];
  readonly userPages: readonly Vpn[];
  /** First page of the direct map: page `directMap + gfn` maps `gfn`. */
  readonly directMap: Vpn;
  /** Tables of the direct map, root side first. */
  readonly kernelTables: readonly Gfn[];
  /** Frames that no table uses yet, to link as tables. */
  readonly spareTables: readonly Gfn[];
}

/** The table that translates `page` at `level`, as a key of `Space.tables`. */
export function tableKey(level: number, page: number): string {
  return `${level}:${Math.floor(page / pagesPerEntry(level + 1))}`;
}

const link = userLink;

/** Data frame that user page number `i` of a space maps at first: all different within a space. */
export function dataFrame(space: number, i: number): Gfn {
  return (firstData + space * 64 + i) as Gfn;
}

export function buildImage(options: ImageOptions): GuestImage {
  const { levels } = options;
  const image = new BootImage();
  let next = firstTable;
  const allocate = (): Gfn => {
    next += 1;
    return (next - 1) as Gfn;
  };
  const pages = levels === 5 ? [...userPages, 2 ** 36] : userPages;
  const directMap = kernelIndex * pagesPerEntry(levels);
  const kernelTables = buildDirectMap({ ...options, directMap, image, allocate });
  const spaces = Array.from({ length: options.spaces }, (_, number): Space => {
    const root = allocate();
    const tables = new Map([[tableKey(levels, 0), root]]);
    const top = kernelTables[0];
    if (top !== undefined) image.set(root, kernelIndex, entryTo(top, kernelLink));
    if (options.selfMap) image.set(root, selfIndex, entryTo(root, kernelLink));
    for (const [i, page] of pages.entries()) {
      let table = root;
      for (let level: number = levels; level > 1; level--) {
        const key = tableKey(level - 1, page);
        const below = tables.get(key) ?? allocate();
        tables.set(key, below);
        image.set(table, indexAt(page, level), entryTo(below, link));
        table = below;
      }
      image.set(table, indexAt(page, 1), entryTo(dataFrame(number, i), freshPage));
    }
    return { root, pcid: number, tables };
  });
  const spareTables = Array.from({ length: 12 }, allocate);
  return {
    levels,
    image,
    spaces,
    userPages: pages as Vpn[],
    directMap: directMap as Vpn,
    kernelTables,
    spareTables,
  };
}

interface DirectMapParts extends ImageOptions {
  readonly directMap: number;
  readonly image: BootImage;
  readonly allocate: () => Gfn;
}

/** Tables below the root entry of the direct map; all of memory lies in the first entries of each. */
function buildDirectMap({ levels, direct, globalKernel, image, allocate }: DirectMapParts): Gfn[] {
  const flags = globalKernel ? asGlobal(kernelPage) : kernelPage;
  const tables = Array.from({ length: levels - 2 }, allocate);
  for (const [i, table] of tables.entries()) {
    const below = tables[i + 1];
    if (below !== undefined) image.set(table, 0, entryTo(below, kernelLink));
  }
  const directory = tables.at(-1);
  if (directory === undefined) return tables;
  for (let block = 0; block < memoryFrames / 512; block++) {
    if (direct === "2m") {
      image.set(directory, block, entryTo(block * 512, asLarge(flags)));
      continue;
    }
    const table = allocate();
    tables.push(table);
    image.set(directory, block, entryTo(table, kernelLink));
    for (let i = 0; i < 512; i++) {
      image.set(table, i, entryTo(block * 512 + i, flags));
    }
  }
  return tables;
}
