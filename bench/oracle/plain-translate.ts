/**
 * From GVA to HPA without a TLB: the guest's tree walked through the nested tree, or by itself.
 *
 * What the two dimensions say differently is written down here: entry formats, reserved bits, faults,
 * nested TLB and PML. It keeps the caches that only walks use, and counts what walks do.
 *
 * Source: SDM vol. 3A 4.7 "Page-Fault Exceptions", vol. 3C 29.3.6 "Page-Modification Logging", APM vol. 2 15.25.
 */
import type { PageOrder, Pfn } from "../../machine/address.ts";
import type { Ledger } from "../../machine/counters.ts";
import * as bits from "../../machine/entry.ts";
import { createDataCache, type DataCache } from "../../machine/data-cache.ts";
import type { NestedPaging, Registers } from "../../machine/exit.ts";
import type { PhysicalMemory } from "../../machine/memory.ts";
import * as stops from "../../machine/mmu.ts";
import type { Geometry, Preset } from "../../machine/presets.ts";
import { type Context, type Key, keyOf, PlainCache } from "./plain-cache.ts";
import type { Translation } from "./plain-tlb.ts";
import { eptFormat, nptFormat, isReservedX86, x86Format } from "./plain-format.ts";
import {
  isStop,
  type Kind,
  type Leaf,
  type PwcEntry,
  type Request,
  type Stop,
  type Table,
  type Tree,
  walk,
} from "./plain-walk.ts";

/** A nested TLB entry: where 2^order guest frames are. */
type NestedEntry = Key & {
  readonly order: PageOrder;
  readonly frame: number;
  readonly write: boolean;
  readonly execute: boolean;
  /** A write needs no walk. */
  readonly dirty: boolean;
};

/** One access, decoded. */
export interface Access {
  readonly vpn: number;
  readonly kind: Kind;
  readonly user: boolean;
}

type PwcByLevel = Readonly<Record<number, PlainCache<PwcEntry>>>;

const placeCounters = [
  "referenceL1Hits",
  "referenceL2Hits",
  "referenceLlcHits",
  "referenceDram",
] as const;

/** Guest-physical mappings belong to the EPTP alone, and all of them go when it changes. */
const noContext: Context = { vpid: 0, pcid: 0, eptp: null };

const noStop = { error: 0, gfn: 0, kind: "read", duringWalk: false } as const;

export class PlainTranslator {
  readonly pwc: PwcByLevel;
  readonly nestedPwc: PwcByLevel;
  readonly nestedTlb: PlainCache<NestedEntry>;
  /** References of the last walk, in order. */
  log: stops.WalkReference[] = [];
  nested: NestedPaging | null = null;
  registers: Registers = { writeProtect: true, globalPages: true, pcid: false, levels: 4 };
  root = 0;
  pmlBuffer: Pfn | null = null;
  pmlIndex = 511;
  private readonly memory: PhysicalMemory;
  private readonly dataCache: DataCache | null;
  private readonly counts: Ledger;
  private readonly walkLengths: Float64Array;

  constructor(memory: PhysicalMemory, preset: Preset, counts: Ledger, walkLengths: Float64Array) {
    this.memory = memory;
    this.counts = counts;
    this.walkLengths = walkLengths;
    this.pwc = cachesByLevel(preset.pwc);
    this.nestedPwc = cachesByLevel(preset.nestedPwc);
    this.nestedTlb = new PlainCache(preset.nestedTlb);
    this.dataCache = preset.dataCache === null ? null : createDataCache(preset.dataCache);
  }

  /** One walk, counted whether it ends in a translation or in a stop. */
  translate(access: Access, context: Context): Translation | Stop {
    this.log = [];
    this.counts.walks += 1;
    const outcome = this.translateUncounted(access, context);
    this.walkLengths[Math.min(this.log.length, this.walkLengths.length - 1)]! += 1;
    for (const { pfn, index } of this.log) this.readLine(pfn * 64 + Math.floor(index / 8));
    return outcome;
  }

  private readLine(line: number): void {
    if (this.dataCache === null) return;
    this.counts[placeCounters[this.dataCache.reference(line)]] += 1;
  }

  private translateUncounted(access: Access, context: Context): Translation | Stop {
    const { vpn, kind, user } = access;
    const request: Request = { page: vpn, kind, user, duringWalk: false };
    const leaf = walk(this.memory, this.guestTree(context), request, this);
    if (isStop(leaf)) return leaf;
    const page = this.pageOf(leaf.frame + (vpn % 2 ** leaf.order), kind);
    if (isStop(page)) return page;
    const order = Math.min(leaf.order, page.order) as PageOrder;
    return {
      order,
      guestOrder: leaf.order,
      frame: page.pfn - (vpn % 2 ** order),
      write: leaf.rights.write,
      user: leaf.rights.user,
      execute: leaf.rights.execute,
      nestedExecute: page.execute,
      dirty: (leaf.low & bits.D) !== 0 && page.dirty,
      global: this.registers.globalPages && (leaf.low & bits.G) !== 0,
    };
  }

  /** Host frame of the 4 KiB page at guest frame `frame`, and what its host page permits. */
  private pageOf(
    frame: number,
    kind: Kind,
  ): { pfn: number; order: PageOrder; execute: boolean; dirty: boolean } | Stop {
    if (this.nested !== null) {
      const entry = this.nestedTranslate(frame, kind, false);
      if (isStop(entry)) return entry;
      const place = this.existing(frame, pfnIn(entry, frame), entry.write);
      return isStop(place) ? place : { ...entry, pfn: place.pfn };
    }
    if (frame >= this.memory.frames) return outside(frame);
    return { pfn: frame, order: 18, execute: true, dirty: true };
  }

  private guestTree(context: Context): Tree {
    const { registers, nested } = this;
    const tablesAreWritten = nested !== null && setsAccessedDirty(nested);
    const tableAccess = tablesAreWritten ? "write" : "read";
    return {
      dimension: "guest",
      root: this.root,
      levels: registers.levels,
      format: x86Format,
      context,
      pwc: this.pwc,
      accessedDirty: true,
      locate: (frame) => this.tableAt(frame, tableAccess),
      isReserved: isReservedX86,
      permits: (rights, { kind, user }) =>
        (!user || rights.user) &&
        (kind !== "write" || rights.write || (!user && !registers.writeProtect)) &&
        (kind !== "fetch" || rights.execute),
      beforeMark: ({ frame: gfn, isWritable }) => {
        // Reading the table needed no more than a read right; setting a bit is a write to it.
        if (isWritable) return null;
        const reason = stops.STOP_EPT_VIOLATION;
        return { reason, error: 0, gfn, kind: "write", duringWalk: true };
      },
      refuse: (cause, { kind, user }) => {
        const present = cause === "absent" ? 0 : bits.PF_PRESENT;
        const reserved = cause === "reserved" ? bits.PF_RESERVED : 0;
        const write = kind === "write" ? bits.PF_WRITE : 0;
        const fetch = kind === "fetch" ? bits.PF_FETCH : 0;
        const error = present | reserved | write | fetch | (user ? bits.PF_USER : 0);
        return { ...noStop, reason: stops.STOP_PAGE_FAULT, error };
      },
    };
  }

  private nestedTree(nested: NestedPaging): Tree {
    return {
      dimension: "nested",
      root: nested.root,
      levels: nested.levels,
      format: nested.format === "ept" ? eptFormat : nptFormat,
      context: noContext,
      pwc: this.nestedPwc,
      accessedDirty: setsAccessedDirty(nested),
      locate: (frame) => this.existing(frame, frame, true),
      isReserved: () => false,
      permits: (rights, { kind }) => rights[kind === "fetch" ? "execute" : kind],
      beforeMark: (_table, setsDirty, { page }) => (setsDirty ? this.logModification(page) : null),
      refuse: (_cause, { page: gfn, kind, duringWalk }) => {
        return { reason: stops.STOP_EPT_VIOLATION, error: 0, gfn, kind, duringWalk };
      },
    };
  }

  private tableAt(frame: number, kind: Kind): Table | Stop {
    if (this.nested === null) return this.existing(frame, frame, true);
    const entry = this.nestedTranslate(frame, kind, true);
    return isStop(entry) ? entry : this.existing(frame, pfnIn(entry, frame), entry.write);
  }

  /** `frame` lies at `pfn`, if the machine has such a frame. */
  private existing(frame: number, pfn: number, isWritable: boolean): Table | Stop {
    return pfn >= this.memory.frames ? outside(pfn) : { frame, pfn: pfn as Pfn, isWritable };
  }

  /** The nested dimension: from `gfn` to the page around it, by nested TLB or nested walk. */
  private nestedTranslate(gfn: number, kind: Kind, duringWalk: boolean): NestedEntry | Stop {
    const cached = this.findNested(gfn);
    if (cached !== null && suffices(cached, kind)) {
      this.counts.nestedTlbHits += 1;
      this.nestedTlb.touch(cached);
      return cached;
    }
    this.counts.nestedTlbMisses += 1;
    const tree = this.nestedTree(this.nested!);
    const leaf = walk(this.memory, tree, { page: gfn, kind, user: false, duringWalk }, this);
    if (isStop(leaf)) return leaf;
    const entry = nestedEntry(gfn, leaf, tree);
    if (cached !== null) this.nestedTlb.remove(cached);
    this.nestedTlb.insert(entry);
    return entry;
  }

  private findNested(gfn: number): NestedEntry | null {
    for (const order of [0, 9, 18]) {
      const entry = this.nestedTlb.find(keyOf(gfn, order, noContext));
      if (entry !== null) return entry;
    }
    return null;
  }

  /** PML: D of a leaf is about to be set. */
  private logModification(gfn: number): Stop | null {
    if (this.pmlBuffer === null) return null;
    if (this.pmlIndex < 0) return { ...noStop, reason: stops.STOP_PML_FULL, gfn };
    this.memory.write(this.pmlBuffer, this.pmlIndex, bits.lowHalf(gfn, 0), bits.highHalf(gfn));
    this.pmlIndex -= 1;
    this.counts.pmlAppends += 1;
    return null;
  }

  reference(reference: stops.WalkReference): void {
    this.log.push(reference);
    if (reference.dimension === "guest") this.counts.walkReferencesGuest += 1;
    else this.counts.walkReferencesNested += 1;
  }

  pwcHit({ dimension }: Tree, level: number): void {
    const cached = level as 2 | 3 | 4 | 5;
    if (dimension === "guest") this.counts[`pwcHitsLevel${cached}`] += 1;
    else this.counts[`nestedPwcHitsLevel${cached}`] += 1;
  }

  bitSet(bit: "accessed" | "dirty"): void {
    this.counts[`${bit}BitsSet`] += 1;
  }
}

function cachesByLevel(geometries: Readonly<Record<2 | 3 | 4 | 5, Geometry | null>>): PwcByLevel {
  return {
    2: new PlainCache<PwcEntry>(geometries[2]),
    3: new PlainCache<PwcEntry>(geometries[3]),
    4: new PlainCache<PwcEntry>(geometries[4]),
    5: new PlainCache<PwcEntry>(geometries[5]),
  };
}

/** NPT has A and D always. Where they are, walking a guest table counts as writing it. */
function setsAccessedDirty(nested: NestedPaging): boolean {
  return nested.accessedDirty || nested.format === "npt";
}

function nestedEntry(gfn: number, { order, frame, rights, low }: Leaf, tree: Tree): NestedEntry {
  const modified = !tree.accessedDirty || (low & tree.format.dirty) !== 0;
  return {
    ...keyOf(gfn, order, noContext),
    order,
    frame,
    write: rights.write,
    execute: rights.execute,
    // A leaf can be read-only with D set: the hypervisor write-protected a modified page.
    dirty: rights.write && modified,
  };
}

function suffices(entry: NestedEntry, kind: Kind): boolean {
  return kind === "read" || (kind === "write" ? entry.dirty : entry.execute);
}

function pfnIn(entry: NestedEntry, gfn: number): Pfn {
  return (entry.frame + (gfn % 2 ** entry.order)) as Pfn;
}

function outside(frame: number): Stop {
  return { ...noStop, reason: stops.STOP_OUTSIDE, gfn: frame };
}
