/**
 * A template: the recency of every set of a structure, as rings. Each call gets a copy of the text of its own.
 *
 * Within a set, `next` leads from recent to old, and `previous` of the head is the victim. Touching one and filling the
 * victim are O(1), whatever the number of ways. Entries count from 1: 0 is none.
 */
import type { Geometry } from "../presets.ts";
import type { Room } from "../room.ts";

/** Ring lists of recency. */
interface Ring {
  readonly next: Int16Array;
  readonly previous: Int16Array;
  /** The most recent entry of each set. */
  readonly head: Int16Array;
  /** Entry `v` becomes the most recent of its set. */
  readonly touch: (v: number, set: number) => void;
}

export function createRing(room: Room, { sets, ways }: Geometry): Ring {
  const next = room.int16(sets * ways + 1);
  const previous = room.int16(sets * ways + 1);
  const head = room.int16(sets);
  for (let set = 0; set < sets; set++) {
    const base = 1 + set * ways;
    head[set] = base;
    for (let way = 0; way < ways; way++) {
      next[base + way] = base + ((way + 1) % ways);
      previous[base + way] = base + ((way + ways - 1) % ways);
    }
  }

  function touch(v: number, set: number): void {
    const h = head[set]!;
    if (v === h) return;
    const tail = previous[h]!;
    if (v !== tail) {
      const p = previous[v]!;
      const q = next[v]!;
      next[p] = q;
      previous[q] = p;
      next[tail] = v;
      previous[v] = tail;
      next[v] = h;
      previous[h] = v;
    }
    head[set] = v;
  }

  return { next, previous, head, touch };
}
