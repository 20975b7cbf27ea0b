/**
 * The reverse maps of trap-on-write shadow paging, one for each size of leaf.
 */
import type { Gfn } from "../../machine/address.ts";
import type { FrameRange } from "../../hypervisor/dirty/frame-ranges.ts";
import { FrameMap } from "./frame-map.ts";
import { firstIn, largeLevels } from "./table-regions.ts";

export class LeafMaps {
  /** By level; a large leaf is known by its first frame. */
  private readonly maps = [1, 2, 3].map(() => new FrameMap());

  /** Places of the leaves of `level` that map `gfn`. Adding and removing may change the list. */
  at(gfn: Gfn, level: number): readonly number[] {
    return this.map(level).of(firstIn(gfn, level));
  }

  /** Places of all leaves that map `gfn`. */
  all(gfn: Gfn): number[] {
    return [1, 2, 3].flatMap((level) => this.at(gfn, level));
  }

  /** Does some leaf of 2 MiB or more map `gfn`? */
  isLarge(gfn: Gfn): boolean {
    return largeLevels.some((level) => this.at(gfn, level).length > 0);
  }

  /** Calls `visit` for every frame in the range that some 4 KiB leaf maps. */
  forEachSmall({ start, frames }: FrameRange, visit: (gfn: Gfn) => void): void {
    for (let gfn = start; gfn < start + frames; gfn = (gfn + 1) as Gfn) {
      if (this.at(gfn, 1).length > 0) visit(gfn);
    }
  }

  add(first: Gfn, level: number, place: number): void {
    this.map(level).add(first, place);
  }

  remove(first: Gfn, level: number, place: number): void {
    this.map(level).remove(first, place);
  }

  private map(level: number): FrameMap {
    return this.maps[level - 1]!;
  }
}
