/**
 * One shadow table, the key that finds it, and what all of them are made with.
 */
import { entriesPerTable, type Gfn, type Pfn } from "../../machine/address.ts";
import { P } from "../../machine/entry.ts";
import type { Ledger } from "../../machine/counters.ts";
import type { FrameMemory } from "../../hypervisor/platform.ts";
import type { HostMemory } from "../../hypervisor/memory/host-memory.ts";

export interface ShadowTable {
  /** Number of its frame among the hypervisor's. */
  readonly id: number;
  /** The guest table mirrored; for a direct table, the first frame that it maps. */
  readonly gfn: Gfn;
  readonly level: number;
  readonly isDirect: boolean;
  readonly pfn: Pfn;
  /** Entries that link here, packed as id * 512 + index. */
  readonly parents: Set<number>;
  /** By entry, the first guest frame that it maps; -1 where it is no leaf (KVM's `shadowed_translation`). */
  readonly frames: Int32Array;
}

export interface ShadowParts {
  readonly bytes: FrameMemory;
  readonly memory: HostMemory;
  /** May a leaf for `gfn` be writable, as far as dirty tracking is concerned? */
  readonly mayMapWritable: (gfn: Gfn) => boolean;
  /** Must the page around `gfn` be mapped by leaves below `level`, as far as dirty tracking is concerned? */
  readonly needsSmall: (gfn: Gfn, level: number) => boolean;
  readonly ledger: () => Ledger;
}

/** A guest frame may be a table at several levels, and the first frame of a large page. */
export function keyOf(gfn: Gfn, level: number, isDirect: boolean): number {
  return gfn * 16 + level * 2 + (isDirect ? 1 : 0);
}

export function createTable(
  bytes: FrameMemory,
  of: Pick<ShadowTable, "gfn" | "level" | "isDirect">,
): ShadowTable {
  const pfn = bytes.allocateTable();
  const frames = new Int32Array(entriesPerTable).fill(-1);
  return { id: pfn - bytes.guestFrames, ...of, pfn, parents: new Set(), frames };
}

/** Entries that are present in the guest's table or in the shadow. Most tables are nearly empty. */
export function presentIn({ memory, bytes }: ShadowParts, { gfn, pfn }: ShadowTable): number[] {
  const { words } = bytes;
  const guest = memory.wordsOf(gfn);
  const shadow = bytes.wordsOf(pfn);
  const indexes: number[] = [];
  for (let index = 0; index < entriesPerTable; index++) {
    if (((words[guest | (index << 1)]! | words[shadow | (index << 1)]!) & P) !== 0)
      indexes.push(index);
  }
  return indexes;
}
