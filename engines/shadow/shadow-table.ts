/**
 * One shadow table, the key that finds it, and what all of them are made with.
 */
import { entriesPerTable, type Gfn, type Pfn } from "../../machine/address.ts";
import { isPresent } from "../../machine/formats/x86-entry.ts";
import type { Ledger } from "../../machine/counters.ts";
import type { FrameMemory } from "../../hypervisor/platform.ts";
import type { DirtyTracker } from "../../hypervisor/dirty/tracker.ts";
import type { HostMemory } from "../../hypervisor/memory/host-memory.ts";
import type { MemoryPolicy } from "../../hypervisor/policy/memory-policy.ts";

export interface ShadowTable {
  /** Number of its frame among the hypervisor's. */
  readonly id: number;
  /** The guest table mirrored; for a direct table, the first frame that it maps. */
  readonly gfn: Gfn;
  readonly level: number;
  readonly isDirect: boolean;
  /** Where it stands, if that matters to a policy: see `hypervisor/policy/page-locks.ts`. */
  readonly role: number;
  readonly pfn: Pfn;
  /** Entries that link here, packed as id * 512 + index. */
  readonly parents: Set<number>;
  /** By entry, the first guest frame that it maps; -1 where it is no leaf (KVM's `shadowed_translation`). */
  readonly frames: Int32Array;
}

/** What finds a table: a guest frame may be one at several levels and places, and the first frame of a large page. */
export type TableName = Pick<ShadowTable, "gfn" | "level" | "isDirect" | "role">;

export interface ShadowParts {
  readonly bytes: FrameMemory;
  readonly memory: HostMemory;
  /** Rules that every entry obeys; null: none. */
  readonly policy: MemoryPolicy | null;
  /** Whose log decides which leaves are read-only, and which small. */
  readonly tracker: Pick<DirtyTracker, "mayMapWritable" | "needsSmall">;
  /** Flags of a guest's entry that its shadow has too, beside NX: W and U, and G where the guest's flushes drop G. */
  readonly keptFlags: number;
  /**
   * Has the guest shadow stacks? Then a leaf without W that is none of theirs has no D either: silicon would take it for one.
   * Absent: no.
   */
  readonly hasStacks?: () => boolean;
  /** Nested tables that stand beside the shadow; null: there are none. */
  readonly beside: Beside | null;
  readonly ledger: () => Ledger;
}

/** What a hypervisor with shadow and nested tables hears and says of the guest's own. */
export interface Beside {
  /** Does silicon walk the guest's table at `gfn` itself? Then it has no shadow. */
  readonly isSwitched: (gfn: Gfn) => boolean;
  /** The frame is a shadowed table now: no nested leaf may let stores through. */
  readonly shadowed: (gfn: Gfn) => void;
  /** It is none any more. */
  readonly unshadowed: (gfn: Gfn) => void;
}

/** Frames have 32 bits and roles are few, so the key is exact; without a role it is a small one, which a map finds faster. */
export function keyOf({ gfn, level, isDirect, role }: TableName): number {
  const key = gfn * 16 + level * 2 + (isDirect ? 1 : 0);
  return role === 0 ? key : role * 2 ** 36 + key;
}

/** Entries that are present in the guest's table or in the shadow. */
export function presentIn({ memory, bytes }: ShadowParts, { gfn, pfn }: ShadowTable): number[] {
  return presentInEither(bytes.words, memory.wordsOf(gfn), bytes.wordsOf(pfn));
}

/** Entries that are present in the shadow. */
export function presentInShadow({ bytes }: ShadowParts, { pfn }: ShadowTable): number[] {
  return presentInEither(bytes.words, bytes.wordsOf(pfn), 0);
}

/** Of two tables that begin there. Most are nearly empty: eight entries are asked at once, which is four times as fast. */
function presentInEither(words: Int32Array, one: number, other: number): number[] {
  const indexes: number[] = [];
  for (let word = 0; word < 2 * entriesPerTable; word += 16) {
    if (!isPresent(eightLows(words, one | word) | eightLows(words, other | word))) continue;
    for (let at = word; at < word + 16; at += 2) {
      if (isPresent(words[one | at]! | words[other | at]!)) indexes.push(at >>> 1);
    }
  }
  return indexes;
}

/** The low halves of eight entries, or-ed. */
function eightLows(words: Int32Array, at: number): number {
  const first = words[at]! | words[at | 2]! | words[at | 4]! | words[at | 6]!;
  return first | words[at | 8]! | words[at | 10]! | words[at | 12]! | words[at | 14]!;
}
