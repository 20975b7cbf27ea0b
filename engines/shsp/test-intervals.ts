/** Two kinds of intervals that a guest lives through, for tests of who changes its mode. */
import type { Gfn } from "../../machine/address.ts";
import { userPage } from "../../machine/formats/x86-entry.ts";
import type { TestGuest } from "../kvm/test-guest.ts";

/** Of so many accesses each, to 64 pages whose leaf table is `pt`. */
export function intervalsOf(guest: TestGuest, pt: Gfn, accesses: number) {
  return {
    /** Every access walks, and the guest stores to no table. */
    walking: () =>
      guest.cost(() => {
        for (let i = 0; i < accesses; i++) guest.read((i * 7) % 64);
        const [vcpu] = guest.machine.vcpus;
        vcpu!.drain();
        vcpu!.mmu.flushLinear();
      }),
    storing: () =>
      guest.cost(() => {
        for (let i = 0; i < accesses; i++) {
          guest.store(pt, i % 64, guest.data(i % 64), userPage);
          guest.read(i % 64);
        }
      }),
  };
}
