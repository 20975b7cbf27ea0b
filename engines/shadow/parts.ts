/**
 * What shadow tables are made of, and what they ask of the engine around them.
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
  /** Must `gfn` be mapped by 4 KiB, as far as dirty tracking is concerned? */
  readonly isLogged: (gfn: Gfn) => boolean;
  readonly ledger: () => Ledger;
}
