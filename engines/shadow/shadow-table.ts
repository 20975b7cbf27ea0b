/**
 * One shadow table, the key that finds it, and what all of them are made with.
 */
import type { Gfn, Pfn } from "../../machine/address.ts";
import type { Ledger } from "../../machine/counters.ts";
import type { PhysicalMemory } from "../../machine/memory.ts";
import type { HostMemory } from "../host-memory.ts";

export interface ShadowTable {
  readonly id: number;
  /** The guest table mirrored; for a direct table, the first frame that it maps. */
  readonly gfn: Gfn;
  readonly level: number;
  readonly isDirect: boolean;
  readonly pfn: Pfn;
  /** Entries that link here, packed as id * 512 + index. */
  readonly parents: Set<number>;
}

export interface ShadowParts {
  readonly bytes: PhysicalMemory;
  readonly memory: HostMemory;
  /** May a leaf for `gfn` be writable, as far as dirty tracking is concerned? */
  readonly mayMapWritable: (gfn: Gfn) => boolean;
  /** Must the 2 MiB around `gfn` be mapped by 4 KiB, as far as dirty tracking is concerned? */
  readonly needsSmall: (gfn: Gfn) => boolean;
  readonly ledger: () => Ledger;
}

/** An entry that links a child table. */
export interface Link {
  readonly child: ShadowTable;
  readonly rights: number;
  readonly nx: number;
}

/** An entry that maps a page: its guest frame, and what the guest allows. */
export interface Leaf {
  readonly gfn: Gfn;
  readonly rights: number;
  readonly nx: number;
}

/** A guest frame may be a table at several levels, and the first frame of a large page. */
export function keyOf(gfn: Gfn, level: number, isDirect: boolean): number {
  return gfn * 16 + level * 2 + (isDirect ? 1 : 0);
}
