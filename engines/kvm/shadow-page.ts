/**
 * Shadow pages: each a table of real entries in host memory, found by what it shadows.
 *
 * Key: guest frame, level, access rights of the path above, and whether it is direct (maps a large guest
 * page piecewise, so no guest table stands behind it). Pages belong to the VM, whichever vCPU asks. They are
 * kept in order of creation, because that is the order in which recycling takes them.
 *
 * Source: KVM mmu.rst "Shadow pages".
 */
import { entriesPerTable, type Gfn, pagesPerEntry, type Pfn } from "../../machine/address.ts";
import { assert } from "../../machine/assert.ts";
import type { FrameMemory } from "../../hypervisor/platform.ts";

/** A shadow entry as one number: see `refOf`. */
export type EntryRef = number;

/** The index of such an entry in its page. */
export function indexOf(ref: EntryRef): number {
  return ref & (entriesPerTable - 1);
}

export interface ShadowKey {
  /** Shadowed table, or first frame that a direct page maps. */
  readonly gfn: Gfn;
  readonly level: number;
  readonly access: number;
  readonly direct: boolean;
  /** CR0.WP changes what an entry must say, so pages of the two modes never mix. */
  readonly writeProtect: boolean;
  /** Where it stands, if that matters to a policy: see `hypervisor/policy/page-locks.ts`. Else 0. */
  readonly role: number;
}

export interface ShadowPage {
  readonly key: ShadowKey;
  /** Table frame in host memory, and the same counted from the first table frame. */
  readonly table: Pfn;
  readonly id: number;
  /** What leaf entries map, and with which guest rights. Empty where both follow from the key of a direct page. */
  readonly gfns: Uint32Array;
  readonly accesses: Uint8Array;
  /** Entries of upper pages that point here. */
  readonly parents: EntryRef[];
  /** Out of sync: the guest writes its table without exits. Level 1 only. */
  unsync: boolean;
  /** Entries that lead to out-of-sync pages: a bitmap, and its population (both may lag behind). */
  readonly unsyncBits: Int32Array;
  unsyncChildren: number;
  /** Stores since the last walk through this page. */
  floods: number;
  /** vCPUs that have it as current or previous root. */
  rootCount: number;
  /** Zapped, but still somebody's root. */
  invalid: boolean;
}

const wordsOfBits = 16;
const noGfns = new Uint32Array(0);
const noAccesses = new Uint8Array(0);

export class ShadowPages {
  private readonly memory: FrameMemory;
  /** Valid pages by guest frame, the newest first. */
  private readonly byGfn = new Map<number, ShadowPage[]>();
  private readonly byId: (ShadowPage | undefined)[] = [];
  /** Valid pages, oldest first: a JavaScript Set keeps the order of insertion. */
  private readonly active = new Set<ShadowPage>();
  /** Pages not freed yet, invalid roots included. */
  used = 0;
  /** Valid pages that shadow a guest table. */
  indirect = 0;

  constructor(memory: FrameMemory) {
    this.memory = memory;
  }

  create(key: ShadowKey): ShadowPage {
    const table = this.memory.allocateTable();
    const id = table - this.memory.guestFrames;
    const page: ShadowPage = {
      key,
      table,
      id,
      gfns: hasOwnFrames(key) ? new Uint32Array(entriesPerTable) : noGfns,
      accesses: key.direct ? noAccesses : new Uint8Array(entriesPerTable),
      parents: [],
      unsync: false,
      unsyncBits: new Int32Array(key.level > 1 ? wordsOfBits : 0),
      unsyncChildren: 0,
      floods: 0,
      rootCount: 0,
      invalid: false,
    };
    this.byId[id] = page;
    const same = this.byGfn.get(key.gfn);
    if (same === undefined) this.byGfn.set(key.gfn, [page]);
    else same.unshift(page);
    this.active.add(page);
    this.used += 1;
    if (!key.direct) this.indirect += 1;
    return page;
  }

  /** Valid pages whose key has this frame, the newest first; do not keep the list over a zap. */
  of(gfn: Gfn): readonly ShadowPage[] {
    return this.byGfn.get(gfn) ?? [];
  }

  /** Valid pages, oldest first. */
  oldestFirst(): Iterable<ShadowPage> {
    return this.active;
  }

  /** The page whose table an entry points to. */
  ofTable(table: number): ShadowPage {
    const page = this.byId[table - this.memory.guestFrames];
    assert(page !== undefined, () => `shadow page: no page has table ${table}`);
    return page;
  }

  ofRef(ref: EntryRef): ShadowPage {
    const page = this.byId[ref >>> 9];
    assert(page !== undefined, () => `shadow page: entry ${ref} is in no page`);
    return page;
  }

  /** Nobody finds the page any more. */
  invalidate(page: ShadowPage): void {
    if (page.invalid) return;
    page.invalid = true;
    this.active.delete(page);
    const same = this.byGfn.get(page.key.gfn) ?? [];
    same.splice(same.indexOf(page), 1);
    if (same.length === 0) this.byGfn.delete(page.key.gfn);
    if (!page.key.direct) this.indirect -= 1;
  }

  free(page: ShadowPage): void {
    assert(
      page.invalid && page.rootCount === 0,
      () => `shadow page: table ${page.table} is still in use`,
    );
    this.byId[page.id] = undefined;
    this.memory.freeTable(page.table);
  }
}

/** May the frames of a page's entries be any? In a direct page they follow each other, but for locked pages. */
export function hasOwnFrames({ direct, role }: ShadowKey): boolean {
  return !direct || role !== 0;
}

/** The frame that entry `index` of a page maps. */
export function mappedGfn(page: ShadowPage, index: number): Gfn {
  const { key } = page;
  if (hasOwnFrames(key)) return page.gfns[index]! as Gfn;
  return (key.gfn + index * pagesPerEntry(key.level)) as Gfn;
}

/** The guest's rights that entry `index` of a page was made from. */
export function mappedAccess(page: ShadowPage, index: number): number {
  return page.key.direct ? page.key.access : page.accesses[index]!;
}
