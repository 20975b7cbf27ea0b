import type { Geometry } from "../presets.ts";
import type { Room } from "./room.ts";

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
    mask[level] = geometry.sets - 1;
    ways[level] = geometry.ways;
    entries += geometry.sets * geometry.ways;
  }
  return { base, mask, ways, entries };
}

/** Level of an entry that leaves out so many bits, 0 to 36; V8 divides by 9 in eight instructions. */
export function levelOf(shift: number): number {
  return (Math.imul(shift, 57) >>> 9) + 1;
}
