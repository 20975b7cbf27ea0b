/**
 * The kernel's window on physical memory: page `base + gfn` is guest frame gfn.
 *
 * All page-table work is loads and stores of 8 bytes through this window, which is how a shadow engine
 * comes to see it and why nothing here calls the hypervisor.
 */
import type { Gfn, Vpn } from "../machine/address.ts";
import { highHalf, lowHalf } from "../machine/entry.ts";
import type { Vcpu } from "../machine/vcpu.ts";

export class DirectMap {
  private readonly vcpu: Vcpu;
  private readonly base: Vpn;

  constructor(vcpu: Vcpu, base: Vpn) {
    this.vcpu = vcpu;
    this.base = base;
  }

  page(gfn: Gfn): Vpn {
    return (this.base + gfn) as Vpn;
  }

  /** Low half of a table's entry; `high` has the other half until the next load. */
  load(table: Gfn, index: number): number {
    this.vcpu.ledger.pteLoads += 1;
    return this.vcpu.load(this.page(table), index);
  }

  get high(): number {
    return this.vcpu.loadedHigh;
  }

  store(table: Gfn, index: number, low: number, high: number): void {
    this.vcpu.ledger.pteStores += 1;
    this.vcpu.store(this.page(table), index, low, high);
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
    this.vcpu.ledger.pagesZeroed += 1;
    this.vcpu.zeroPage(this.page(gfn));
  }

  copy(to: Gfn, from: Gfn): void {
    this.vcpu.ledger.pagesCopied += 1;
    this.vcpu.copyPage(this.page(to), this.page(from));
  }
}
