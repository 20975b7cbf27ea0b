/**
 * Keeps the version of every frame while a guest runs, for the merger, where no oracle does.
 *
 * Model: guests of the same program and seed store the same data, so their n-th stores make the same version,
 * until `diverge`. Bias: none.
 */
import type { Pfn, Vpn } from "../../machine/address.ts";
import type { Machine } from "../../machine/machine.ts";
import { STORE } from "../../machine/mmu.ts";
import type { EmulatedStore, Observer } from "../../machine/observer.ts";

export class StampStores implements Observer {
  private readonly stamps: Int32Array;
  private version = 0;

  constructor({ memory, vcpus }: Machine) {
    this.stamps = memory.stamps;
    for (const vcpu of vcpus) vcpu.observer = this;
  }

  /** From now on this guest stores what nobody else does. */
  diverge(version: number): void {
    this.version = version;
  }

  access(_cpu: number, _vpn: Vpn, high: number, pfn: Pfn): void {
    if ((high & STORE) !== 0) this.stored(pfn);
  }

  emulated(_cpu: number, { pfn }: EmulatedStore): void {
    this.stored(pfn);
  }

  storing(): void {}
  copying(): number {
    return 0;
  }

  copied(): void {}
  guestFault(): void {}
  invalidated(): void {}
  mmio(): void {}
  denied(): void {}

  private stored(pfn: Pfn): void {
    this.version += 1;
    this.stamps[pfn] = this.version;
  }
}
