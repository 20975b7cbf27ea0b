/**
 * The kernel's window on physical memory: page `base + gfn` is guest frame gfn.
 *
 * All page-table work is loads and stores of 8 bytes through this window, which is how a shadow engine
 * comes to see it and why nothing here calls the hypervisor.
 */
import type { Gfn, Vpn } from "../machine/address.ts";
import { A, D, frameOf, highHalf, lowHalf, NX_HIGH, P } from "../machine/entry.ts";
import type { Vcpu } from "../machine/vcpu.ts";
import type { TableCopies } from "./table-frames.ts";

export class DirectMap {
  private readonly vcpu: Vcpu;
  private readonly base: Vpn;
  /** Tables that have copies on other nodes; null: none has. */
  private readonly copies: TableCopies | null;

  constructor(vcpu: Vcpu, base: Vpn, copies: TableCopies | null = null) {
    this.vcpu = vcpu;
    this.base = base;
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

  get high(): number {
    return this.vcpu.loadedHigh;
  }

  store(table: Gfn, index: number, low: number, high: number): void {
    const copies = this.copies?.get(table);
    if (copies === undefined) this.storeOne(table, index, low, high);
    else this.storeAll(copies, index, low, high);
  }

  /** Stores an entry that points to `frame`; `nx` is `NX_HIGH` or 0. */
  storeEntry(table: Gfn, index: number, frame: number, flags: number, nx = 0): void {
    this.store(table, index, lowHalf(frame, flags), highHalf(frame, nx));
  }

  clear(table: Gfn, index: number): void {
    this.store(table, index, 0, 0);
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
    return this.vcpu.load(this.page(table), index);
  }

  private storeOne(table: Gfn, index: number, low: number, high: number): void {
    this.vcpu.ledger.pteStores += 1;
    this.vcpu.store(this.page(table), index, low, high);
  }

  /** What silicon noted in one of the copies, in an entry that all have. `high` is as before. */
  private marksIn(copies: readonly Gfn[], index: number): number {
    const { high } = this;
    let marks = 0;
    for (const copy of copies) marks |= this.loadOne(copy, index) & (A | D);
    this.vcpu.loadedHigh = high;
    return marks;
  }

  /** The entry goes into every copy; a link leads to the child's copy on the same node. */
  private storeAll(copies: readonly Gfn[], index: number, low: number, high: number): void {
    const children = this.copies?.get(frameOf(low, high));
    copies.forEach((copy, node) => {
      const child = (low & P) === 0 ? undefined : children?.[node];
      if (child === undefined) this.storeOne(copy, index, low, high);
      else this.storeOne(copy, index, lowHalf(child, low & 0xfff), highHalf(child, high & NX_HIGH));
    });
  }
}
