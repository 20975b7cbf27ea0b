/**
 * A set-associative structure with true LRU, as arrays of plain objects: the obvious way to say it.
 *
 * A set is an array, least recently used first. TLBs, walk caches and the nested TLB are all this one
 * thing; they differ in what an entry carries beside its key. Entries are immutable, so an update is a
 * new object in the old one's place. The fast unit says the same with typed arrays.
 */
import type { Geometry } from "../presets.ts";

/** Whose translations they are. `eptp` is the root of the nested tables, or null without any. */
export interface Context {
  readonly vpid: number;
  readonly pcid: number;
  readonly eptp: number | null;
}

/** What an entry is found by: it covers the 2^order pages from page `tag * 2^order` on. */
export interface Key extends Context {
  readonly order: number;
  readonly tag: number;
  /** Matches under every PCID of its VPID and EPTP. */
  readonly global: boolean;
}

export function keyOf(page: number, order: number, context: Context): Key {
  return { ...context, order, tag: Math.floor(page / 2 ** order), global: false };
}

export function covers(key: Key, page: number): boolean {
  return Math.floor(page / 2 ** key.order) === key.tag;
}

/** Is the entry the context's, or global under its VPID and EPTP? */
export function belongs(entry: Key, { vpid, pcid, eptp }: Context): boolean {
  return entry.vpid === vpid && entry.eptp === eptp && (entry.global || entry.pcid === pcid);
}

/** The same, whichever nested tables it came from: what a guest's own instruction drops (SDM vol. 3C 29.4.3.1). */
export function belongsInAnyView(entry: Key, context: Context): boolean {
  return belongs(entry, { ...context, eptp: entry.eptp });
}

/** Would a lookup that finds one find the other? */
function collide(a: Key, b: Key): boolean {
  return (
    a.tag === b.tag &&
    a.order === b.order &&
    a.vpid === b.vpid &&
    a.eptp === b.eptp &&
    (a.global || b.global || a.pcid === b.pcid)
  );
}

export class PlainCache<Entry extends Key> {
  /** 0 when the preset switches the structure off: it then never holds anything. */
  readonly ways: number;
  private readonly sets: Entry[][];

  constructor(geometry: Geometry | null) {
    this.ways = geometry?.ways ?? 0;
    this.sets = Array.from({ length: geometry?.sets ?? 1 }, () => []);
  }

  find(key: Key): Entry | null {
    return this.setOf(key).find((entry) => collide(entry, key)) ?? null;
  }

  /** Makes `entry` the most recently used of its set. */
  touch(entry: Entry): void {
    this.remove(entry);
    this.setOf(entry).push(entry);
  }

  /** Enters `entry` as the most recently used; no lookup ever finds two entries at once. */
  insert(entry: Entry): void {
    if (this.ways === 0) return;
    const set = this.setOf(entry);
    removeIf(set, (other) => collide(other, entry));
    if (set.length === this.ways) set.shift();
    set.push(entry);
  }

  /** Puts `entry` into the place of `old`, which has the same tag and order: its age stays. */
  update(old: Entry, entry: Entry): void {
    const set = this.setOf(old);
    set[set.indexOf(old)] = entry;
    removeIf(set, (other) => other !== entry && collide(other, entry));
  }

  remove(entry: Entry): void {
    removeIf(this.setOf(entry), (other) => other === entry);
  }

  removeWhere(unwanted: (entry: Entry) => boolean): void {
    for (const set of this.sets) removeIf(set, unwanted);
  }

  private setOf(key: Key): Entry[] {
    return this.sets[key.tag % this.sets.length]!;
  }
}

function removeIf<Entry>(set: Entry[], unwanted: (entry: Entry) => boolean): void {
  for (let i = set.length - 1; i >= 0; i--) {
    if (unwanted(set[i]!)) set.splice(i, 1);
  }
}

export type CachesByLevel<Entry extends Key> = Readonly<Record<number, PlainCache<Entry>>>;

export function cachesByLevel<Entry extends Key>(
  geometries: Readonly<Record<2 | 3 | 4 | 5, Geometry | null>>,
): CachesByLevel<Entry> {
  return {
    2: new PlainCache<Entry>(geometries[2]),
    3: new PlainCache<Entry>(geometries[3]),
    4: new PlainCache<Entry>(geometries[4]),
    5: new PlainCache<Entry>(geometries[5]),
  };
}
