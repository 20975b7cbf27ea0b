import type { Geometry } from "../presets.ts";
import { FIRST_BITS, FIRST_LOW, SECOND_BITS, SECOND_LOW } from "./shape.ts";
import type { Room } from "../room.ts";
import { geometryOf } from "./given.ts";

/** Per level 2..5 of a walk cache: where its ways start, sets - 1, ways (0: there is none). */
export function levelGeometry(
  room: Room,
  levels: Readonly<Record<2 | 3 | 4 | 5, Geometry | null>>,
) {
  const base = room.int32(6);
  const mask = room.int32(6);
  const ways = room.int32(6);
  let entries = 0;
  for (const level of [2, 3, 4, 5] as const) {
    const geometry = levels[level];
    base[level] = entries;
    if (geometry === null) continue;
    const { sets, ways: own } = geometryOf(geometry);
    mask[level] = sets - 1;
    ways[level] = own;
    entries += sets * own;
  }
  return { base, mask, ways, entries };
}

// Shifts are multiples of the index bits, up to 48, beyond those of the smallest page: a product and a shift divide them, V8 takes eight instructions.
const perFirst = Math.ceil(512 / FIRST_BITS);
const perSecond = Math.ceil(512 / SECOND_BITS);

/** Level of the first stage's entries that leave out so many bits of a page's number. */
export function firstLevel(shift: number): number {
  return (Math.imul(shift - FIRST_LOW, perFirst) >>> 9) + 1;
}

/** The same of the second stage's. */
export function secondLevel(shift: number): number {
  return (Math.imul(shift - SECOND_LOW, perSecond) >>> 9) + 1;
}

/** Size of the TLB entry for a page: the largest one not above it that TLBs have. */
export function cachedOrder(order: number): number {
  return order >= 18 ? 18 : order >= 9 ? 9 : 0;
}
