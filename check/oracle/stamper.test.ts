import { expect, test } from "vitest";
import type { Gfn } from "../../machine/address.ts";
import type { Hypervisor } from "../../hypervisor/hypervisor.ts";
import { checkedGuest } from "./checked-guest.ts";
import { attachStamper } from "./stamper.ts";

const page = 1200 as Gfn;

test("stores make versions, zeroing takes them back, and a frame is known again where it comes back", () => {
  const hosts: Hypervisor["host"][] = [];
  const { machine, vcpu, direct } = checkedGuest({
    engine: "ept",
    // The host's events go past the oracle, which does not watch here.
    plant(hypervisor) {
      hosts.push(hypervisor.host.bind(hypervisor));
      return hypervisor;
    },
  });
  const stamper = attachStamper(machine);
  machine.hostObserver = null;
  const { frames } = stamper;
  const write = () => {
    vcpu.write(direct(page));
    vcpu.drain();
    return frames.latest(page);
  };
  const first = write();
  expect(write()).toBeGreaterThan(first);
  vcpu.zeroPage(direct(page));
  expect(frames.latest(page)).toBe(0);

  const before = frames.pfnOf[page];
  hosts[0]?.({ kind: "reclaim", start: page, frames: 1 });
  stamper.reclaimed(page, 1);
  expect(frames.pfnOf[page]).toBe(-1);
  // Seen failing without the walk of the guest's tables: the store has no owner.
  expect(write()).toBeGreaterThan(first);
  expect(frames.pfnOf[page]).not.toBe(before);
  expect(machine.memory.stamps[frames.pfnOf[page] ?? 0]).toBe(frames.latest(page));
});
