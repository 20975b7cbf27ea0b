/**
 * Page colouring: which sets of the last-level cache a frame's lines fall into, and hosts that hand frames out by it.
 *
 * Lines of a page lie in 64 sets in a row, in some order, so a page has one colour of as many as the cache has sets over
 * 64. A host that gives guests frames of different colours lets them share no set. Its own tables for a guest are read
 * by that guest's walks, so they need the guest's colour as well.
 *
 * Source: Kessler and Hill, TOCS 1992; Kim, Peinado and Mainar-Ruiz, "StealthMem", USENIX Security 2012.
 */
import type { Gfn, Pfn } from "../../machine/address.ts";
import { lastLevelSet } from "../../machine/data-cache.ts";
import type { Placement } from "../../machine/placement.ts";
import type { DataCaches } from "../../machine/presets.ts";
import { assert } from "../../machine/assert.ts";
import type { Engine } from "../../hypervisor/engine.ts";
import type { Platform } from "../../hypervisor/platform.ts";

const linesPerPage = 64;

export function coloursOf({ llc }: DataCaches): number {
  return llc.sets / linesPerPage;
}

export function colourOf(caches: DataCaches, pfn: number): number {
  return Math.floor(lastLevelSet(caches, pfn * linesPerPage) / linesPerPage);
}

/** Is a colour this guest's? */
export type Palette = (colour: number) => boolean;

/** Frames of the palette's colours among the host's first `frames`, in order. */
export function framesOfPalette(caches: DataCaches, palette: Palette, frames: number): Pfn[] {
  return ([...Array(frames).keys()] as Pfn[]).filter((pfn) => palette(colourOf(caches, pfn)));
}

export function colouredPlacement(frames: readonly Pfn[]): Placement {
  return (gfn: Gfn) => {
    const pfn = frames[gfn];
    assert(pfn !== undefined, () => `colouring: no frame of its colours is left for gfn ${gfn}`);
    return pfn;
  };
}

/** The engine with tables in frames of the palette's colours; those of others go back to the host. */
export function colouredTables(engine: Engine, caches: DataCaches, palette: Palette): Engine {
  const allocate = ({ memory }: Platform): Pfn => {
    const others: Pfn[] = [];
    let pfn = memory.allocateTable();
    while (!palette(colourOf(caches, pfn))) {
      others.push(pfn);
      pfn = memory.allocateTable();
    }
    for (const other of others) memory.freeTable(other);
    return pfn;
  };
  return {
    ...engine,
    create(platform, options) {
      const memory = derived(platform.memory, { allocateTable: () => allocate(platform) });
      return engine.create(derived(platform, { memory }), options);
    },
  };
}

/** The same object, but for what is changed: what is written to it later is seen here too. */
function derived<T extends object>(from: T, changes: Partial<T>): T {
  return Object.assign(Object.create(from) as T, changes);
}
