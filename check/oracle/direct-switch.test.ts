/**
 * PVM's switcher changes between the two roots of a process without entering the hypervisor, and leaves to it what a load
 * owes beside: the flush of what the guest does not keep.
 *
 * Seen failing with a switcher that takes loads that keep nothing, and with a hypervisor that does not follow it.
 */
import { describe, expect, test } from "vitest";
import type { Hypervisor } from "../../hypervisor/hypervisor.ts";
import type { Platform } from "../../hypervisor/platform.ts";
import { subtract } from "../../machine/counters.ts";
import { isDirty, userPage } from "../../machine/formats/x86-entry.ts";
import type { Vpn } from "../../machine/address.ts";
import { checkedGuest } from "./checked-guest.ts";

const kernelPcid = 1;
const userPcid = 0x801;
const page = 3 as Vpn;

type Plant = (made: Hypervisor, machine: Platform) => Hypervisor;

/** A process that is in user mode, both of its roots known; what loads of them cost. */
function process(engine: string, plant?: Plant) {
  const guest = checkedGuest({ engine, pcid: true, ...(plant === undefined ? {} : { plant }) });
  const { vcpu, image } = guest;
  const [user, kernel] = image.spaces.map(({ root }) => root);
  const enterKernel = (keep: boolean) => vcpu.writeCr3(kernel!, kernelPcid, keep);
  const leaveKernel = (keep: boolean) => vcpu.writeCr3(user!, userPcid, keep);
  enterKernel(false);
  leaveKernel(false);
  const waysOut = (body: () => void): number => {
    const before = { ...vcpu.ledger };
    body();
    vcpu.drain();
    return subtract(vcpu.ledger, before).softwareExits;
  };
  return { guest, vcpu, enterKernel, leaveKernel, waysOut };
}

/** The kernel moves a page, and leaves with a load that keeps nothing. */
function movePage(engine: string, plant?: Plant): void {
  const { guest, vcpu, enterKernel, leaveKernel } = process(engine, plant);
  for (let frame = 700; frame < 704; frame++) {
    enterKernel(true);
    guest.setEntry(page, 1, frame, userPage);
    leaveKernel(false);
    vcpu.write(page);
    vcpu.drain();
  }
}

const takesAll: Plant = (made, machine) => ({
  ...made,
  exit(exit, vcpu) {
    const resolution = made.exit(exit, vcpu);
    for (const one of machine.vcpus) {
      one.knownRoots = one.knownRoots.map((known) => ({ ...known, keepsOnly: false }));
    }
    return resolution;
  },
});

describe.each(["pvm", "pvm@ept"])("%s", (engine) => {
  test("into the kernel and back is no way out, with what is cached kept", () => {
    const { enterKernel, leaveKernel, waysOut } = process(engine);
    const call = () => {
      enterKernel(true);
      leaveKernel(true);
    };
    expect(waysOut(call)).toBe(0);
    expect(waysOut(call)).toBe(0);
  });

  test("a load that keeps nothing is one, and so is another process", () => {
    const { enterKernel, leaveKernel, waysOut, vcpu, guest } = process(engine);
    enterKernel(true);
    expect(waysOut(() => leaveKernel(false))).toBe(1);
    expect(waysOut(() => vcpu.writeCr3(guest.image.spaces[1]!.root, kernelPcid + 1, true))).toBe(1);
  });

  test("a page that the kernel moves is found where it is now", () => {
    expect(() => movePage(engine)).not.toThrow();
  });

  test("faults after a switch are those of the root that is loaded", () => {
    const { guest, vcpu, enterKernel, leaveKernel } = process(engine);
    enterKernel(true);
    guest.setEntry(page, 1, 710, userPage);
    leaveKernel(true);
    vcpu.write(page);
    vcpu.drain();
    expect(isDirty(guest.hypervisor.memory.readLow(guest.table(page, 1), page))).toBe(true);
    // The kernel's root has no such page: the second fault is that of whoever was loaded by the first one's answer.
    enterKernel(true);
    for (let i = 0; i < 2; i++) {
      vcpu.write(page);
      vcpu.drain();
    }
    expect(vcpu.ledger.guestPageFaults).toBe(2);
  });

  test("a switcher that takes loads that keep nothing is found out", () => {
    expect(() => movePage(engine, takesAll)).toThrow(/reached pfn|stored to pfn|old data/);
  });
});
