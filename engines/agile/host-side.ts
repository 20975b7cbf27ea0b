/**
 * The complete nested tables that agile paging keeps beside its shadow: every frame that a guest has used.
 *
 * A frame that is a shadowed guest table has a read-only leaf here too: what maps it for the guest may be translated in
 * either way.
 */
import { type Gfn, levelOfOrder, pagesPerEntry } from "../../machine/address.ts";
import { asLarge, isWritable, withWrite, withoutWrite } from "../../machine/formats/x86-entry.ts";
import { ept } from "../../machine/formats/ept.ts";
import type { Ledger } from "../../machine/counters.ts";
import { neighboursIn } from "../../hypervisor/memory/notifier.ts";
import type { HostMemory } from "../../hypervisor/memory/host-memory.ts";
import type { FrameMemory } from "../../hypervisor/platform.ts";
import {
  type EntryPlace,
  findPlace,
  forEachLeaf,
  makePlace,
  type RadixTree,
  splitLeaves,
} from "../../hypervisor/tables/radix.ts";

/** Read, write, execute. */
const allRights = 7;
/** Memory type write-back, bits 5:3. */
const leafFlags = allRights | (6 << 3);

interface HostSideParts {
  readonly bytes: FrameMemory;
  readonly memory: HostMemory;
  readonly levels: number;
  /** Must stores to the frame exit? */
  readonly isReadOnly: (gfn: Gfn) => boolean;
  /** Must the page around `gfn` be mapped by leaves below `level`? */
  readonly needsSmall: (gfn: Gfn, level: number) => boolean;
  readonly ledger: () => Ledger;
}

export class HostSide {
  readonly tree: RadixTree;
  private readonly parts: HostSideParts;

  constructor(parts: HostSideParts) {
    const { bytes, levels } = parts;
    this.parts = parts;
    this.tree = { memory: bytes, format: ept, root: bytes.allocateTable(), levels };
  }

  /** Maps the frame, if it is not mapped; the host provides it. */
  map(gfn: Gfn): void {
    const { bytes, memory, needsSmall, ledger } = this.parts;
    if (this.isMapped(this.find(gfn))) return;
    const pfn = memory.touch(gfn);
    const flags = this.mayStore(gfn) ? leafFlags : withoutWrite(leafFlags);
    ledger().entriesFilled += 1;
    for (let level = levelOfOrder(memory.orderOf(gfn)) as number; level > 1; level--) {
      if (needsSmall(gfn, level)) continue;
      const place = makePlace(this.tree, gfn, level);
      // A split page has a table there already and is filled piece by piece.
      if (bytes.readLow(place.table, place.index) !== 0) continue;
      const first = pfn - (gfn % pagesPerEntry(level));
      bytes.writeEntry(place.table, place.index, first, asLarge(flags));
      return;
    }
    const { table, index } = makePlace(this.tree, gfn, 1);
    bytes.writeEntry(table, index, pfn, flags);
  }

  /** Lets the guest store to the frame, as far as nothing forbids it. */
  allowStores(gfn: Gfn): void {
    const place = this.find(gfn);
    if (!this.isMapped(place) || !this.mayStore(gfn)) return;
    this.parts.bytes.setLow(place.table, place.index, withWrite(this.low(place)));
  }

  /** Stores to the frame exit from now on; true if a flush is due before that is so. */
  forbidStores(gfn: Gfn): boolean {
    const { bytes, ledger } = this.parts;
    splitLeaves(this.tree, { start: gfn, pages: 1 }, () => (ledger().hugePagesSplit += 1));
    const place = this.find(gfn);
    if (!this.isMapped(place) || !isWritable(this.low(place))) return false;
    bytes.setLow(place.table, place.index, withoutWrite(this.low(place)));
    ledger().entriesWriteProtected += 1;
    return true;
  }

  /** The host takes the frames: large leaves around them go as a whole. */
  unmap(start: Gfn, frames: number): void {
    const { bytes, ledger } = this.parts;
    forEachLeaf(this.tree, start, frames, ({ table, index, level }, page) => {
      const large = { first: page, frames: pagesPerEntry(level) };
      if (level > 1) ledger().neighboursUnmapped += neighboursIn(large, { start, frames });
      bytes.write(table, index, 0, 0);
      ledger().entriesDropped += 1;
    });
  }

  /** There are no A bits: the leaf goes, and the next use exits. Was there one? */
  age(gfn: Gfn): boolean {
    const place = this.find(gfn);
    if (!this.isMapped(place)) return false;
    this.parts.bytes.write(place.table, place.index, 0, 0);
    this.parts.ledger().entriesDropped += 1;
    return true;
  }

  private mayStore(gfn: Gfn): boolean {
    return this.parts.memory.isWritable(gfn) && !this.parts.isReadOnly(gfn);
  }

  private find(gfn: Gfn): EntryPlace {
    return findPlace(this.tree, gfn);
  }

  private isMapped(place: EntryPlace): boolean {
    return (this.low(place) & allRights) !== 0;
  }

  private low({ table, index }: EntryPlace): number {
    return this.parts.bytes.readLow(table, index);
  }
}
