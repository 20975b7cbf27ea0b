/**
 * The kernel's window on physical memory: page `base + gfn` is guest frame gfn.
 *
 * All page-table work is loads and stores of 8 bytes through this window, which is how a shadow engine
 * comes to see it and why nothing here calls the hypervisor. The kernel has one set of words for an entry
 * (`machine/isa/isa.ts`); here they become the bytes of its machine, and back.
 */
import type { Gfn, Vpn } from "../machine/address.ts";
import { highHalf, lowHalf, marksOf } from "../machine/formats/x86-entry.ts";
import type { Isa } from "../machine/isa/isa.ts";
import type { Vcpu } from "../machine/vcpu.ts";
import type { TableCopies } from "./table-frames.ts";

/** Where an entry is. */
export interface EntryAt {
  readonly table: Gfn;
  readonly index: number;
}

export class DirectMap {
  readonly isa: Isa;
  /** High half of the entry loaded last. */
  high = 0;
  private readonly vcpu: Vcpu;
  private readonly base: Vpn;
  /** Tables that have copies on other nodes; null: none has. */
  private readonly copies: TableCopies | null;

  constructor(vcpu: Vcpu, base: Vpn, isa: Isa, copies: TableCopies | null = null) {
    this.vcpu = vcpu;
    this.base = base;
    this.isa = isa;
    this.copies = copies;
  }

  page(gfn: Gfn): Vpn {
    return (this.base + gfn) as Vpn;
  }

  /** Low half of a table's entry; `high` has the other half until the next load. */
  load(table: Gfn, index: number): number {
    const low = this.loadOne(table, index);
    const copies = this.copies?.get(table);
    return copies === undefined ? low : low | this.marksIn(copies, index);
  }

  /** Stores a leaf. */
  store(table: Gfn, index: number, low: number, high: number): void {
    this.storeAlike(table, index, this.isa.leafLow(low, high), this.isa.leafHigh(low, high));
  }

  /**
   * Stores an entry that points to the table `below`; `nx` is `NX_HIGH` or 0. In a table that has copies each leads to the
   * child's copy on its own node.
   */
  storeLink(at: EntryAt, below: Gfn, flags: number, nx = 0): void {
    const copies = this.copies?.get(at.table);
    if (copies === undefined) return this.storeLinkTo(at, below, flags, nx);
    const children = this.copies?.get(below);
    copies.forEach((table, node) => {
      this.storeLinkTo({ table, index: at.index }, children?.[node] ?? below, flags, nx);
    });
  }

  /** Stores a leaf for `frame`; `nx` is `NX_HIGH` or 0. */
  storeEntry(table: Gfn, index: number, frame: number, flags: number, nx = 0): void {
    this.store(table, index, lowHalf(frame, flags), highHalf(frame, nx));
  }

  clear(table: Gfn, index: number): void {
    this.storeAlike(table, index, 0, 0);
  }

  /** Writes to each frame from `from` until before `to`; what is in them stays. */
  touch(from: number, to: number): void {
    for (let gfn = from; gfn < to; gfn++) this.vcpu.write(this.page(gfn as Gfn));
  }

  zero(gfn: Gfn): void {
    for (const at of this.copies?.get(gfn) ?? [gfn]) {
      this.vcpu.ledger.pagesZeroed += 1;
      this.vcpu.zeroPage(this.page(at));
    }
  }

  copy(to: Gfn, from: Gfn): void {
    for (const at of this.copies?.get(to) ?? [to]) {
      this.vcpu.ledger.pagesCopied += 1;
      this.vcpu.copyPage(this.page(at), this.page(from));
    }
  }

  private loadOne(table: Gfn, index: number): number {
    this.vcpu.ledger.pteLoads += 1;
    const low = this.vcpu.load(this.page(table), index);
    const high = this.vcpu.loadedHigh;
    this.high = this.isa.readHigh(low, high);
    return this.isa.readLow(low, high);
  }

  /** What silicon noted in one of the copies, in an entry that all have. `high` is as before. */
  private marksIn(copies: readonly Gfn[], index: number): number {
    const { high } = this;
    let marks = 0;
    for (const copy of copies) marks |= marksOf(this.loadOne(copy, index));
    this.high = high;
    return marks;
  }

  private storeLinkTo({ table, index }: EntryAt, below: Gfn, flags: number, nx: number): void {
    const low = lowHalf(below, flags);
    const high = highHalf(below, nx);
    this.storeBytes(table, index, this.isa.linkLow(low, high), this.isa.linkHigh(low, high));
  }

  /** The same bytes in every copy of the table. */
  private storeAlike(table: Gfn, index: number, low: number, high: number): void {
    const copies = this.copies?.get(table);
    if (copies === undefined) this.storeBytes(table, index, low, high);
    else for (const copy of copies) this.storeBytes(copy, index, low, high);
  }

  private storeBytes(table: Gfn, index: number, low: number, high: number): void {
    this.vcpu.ledger.pteStores += 1;
    this.vcpu.store(this.page(table), index, low, high);
  }
}
