/**
 * A hypervisor that answers for a frame nobody faulted on, as fault-around does (docs/add-a-scheme.md): what is mapped stays
 * as it is, what is not is mapped with the rights that the host allows.
 */
import { expect, test } from "vitest";
import type { Gfn } from "../../machine/address.ts";
import { assert } from "../../machine/assert.ts";
import type { VmExit } from "../../machine/exits.ts";
import { checkedGuest } from "./checked-guest.ts";

const nested = ["ept", "ept-ad", "ept-wp", "ept-pml", "npt"] as const;
const page = 1200;
const snapshot = { kind: "snapshot", start: page as Gfn, frames: 1 } as const;

function guestOf(engine: (typeof nested)[number]) {
  const guest = checkedGuest({ engine });
  const { hypervisor, vcpu, direct } = guest;
  const vpn = direct(page);
  const exit: VmExit = {
    reason: "ept-violation",
    vpn,
    gfn: page as Gfn,
    access: "read",
    offset: 0,
    duringWalk: false,
    isPresent: false,
    store: null,
  };
  const use = (access: "read" | "write") => {
    vcpu[access](vpn);
    vcpu.drain();
  };
  return { ...guest, use, mapIt: () => hypervisor.exit(exit, vcpu) };
}

// Seen failing: write access given at any violation of a mapped leaf, so the store reached the snapshot's frame.
test.each(nested)("%s: a read of what is mapped read-only leaves it read-only", (engine) => {
  const { hypervisor, vcpu, use, mapIt } = guestOf(engine);
  use("write");
  hypervisor.host(snapshot);
  use("read");
  mapIt();
  const { sharesBroken } = vcpu.ledger;
  use("write");
  expect(vcpu.ledger.sharesBroken - sharesBroken).toBe(1);
});

// Seen failing: nobody told, so the oracle learnt of the new frame from the guest's first access: too late when a clone
// shares it by then.
test.each(nested)("%s: a reclaimed page that comes back before its use is announced", (engine) => {
  const { hypervisor, machine, use, mapIt } = guestOf(engine);
  use("write");
  hypervisor.host({ kind: "reclaim", start: page as Gfn, frames: 1 });
  const announced: Gfn[] = [];
  const { hostObserver } = machine;
  assert(hostObserver !== null, "test: a machine without an oracle");
  const moved = hostObserver.moved.bind(hostObserver);
  hostObserver.moved = (gfn, to) => {
    announced.push(gfn);
    moved(gfn, to);
  };
  mapIt();
  expect(announced).toEqual([page]);
  use("read");
  use("write");
});
