/**
 * Write tracking: frames that must stay write-protected, and regions that must not be mapped large.
 *
 * A frame shadowed as an upper table (level 2 and up) is tracked: its stores are emulated. Any shadowed
 * table, leaf tables too, forbids large mappings of the region around it.
 */
import { type Gfn, pagesPerEntry } from "../../machine/address.ts";
import type { ShadowPage } from "./shadow-page.ts";

const largeLevels = [2, 3] as const;

export class WriteTrack {
  private readonly tracked: Uint16Array;
  /** Shadowed tables per region, by level of the large page that they forbid. */
  private readonly tablesIn: Readonly<Record<2 | 3, Uint32Array>>;

  constructor(guestFrames: number) {
    this.tracked = new Uint16Array(guestFrames);
    this.tablesIn = {
      2: new Uint32Array(Math.ceil(guestFrames / pagesPerEntry(2))),
      3: new Uint32Array(Math.ceil(guestFrames / pagesPerEntry(3))),
    };
  }

  add(page: ShadowPage): void {
    this.count(page, 1);
  }

  remove(page: ShadowPage): void {
    this.count(page, -1);
  }

  isTracked(gfn: Gfn): boolean {
    return this.tracked[gfn]! > 0;
  }

  /** May a page of this level be mapped at `gfn`? */
  allowsLarge(gfn: Gfn, level: number): boolean {
    if (level === 2) return this.tablesIn[2][Math.floor(gfn / pagesPerEntry(2))] === 0;
    return level === 3 && this.tablesIn[3][Math.floor(gfn / pagesPerEntry(3))] === 0;
  }

  private count({ key }: ShadowPage, step: 1 | -1): void {
    if (key.level > 1) this.tracked[key.gfn]! += step;
    for (const level of largeLevels) {
      this.tablesIn[level][Math.floor(key.gfn / pagesPerEntry(level))]! += step;
    }
  }
}
