/**
 * What the oracle accepts and what it rejects, told to it directly or done by real hardware.
 */
import { expect, test } from "vitest";
import type { Gfn, Pfn, Vpn } from "../../machine/address.ts";
import {
  asGlobal,
  asLarge,
  freshPage,
  kernelPage,
  noExecute,
  userLink,
  userPage,
  withoutPresent,
  withoutWrite,
} from "../../machine/formats/x86-entry.ts";
import { PF_PRESENT, PF_RESERVED, PF_USER, PF_WRITE } from "../../machine/page-fault.ts";
import { FETCH, STORE, USER } from "../../machine/mmu.ts";
import type { EngineName } from "../../engines/index.ts";
import { engines } from "../../engines/index.ts";
import { checkedGuest } from "./checked-guest.ts";
import { OracleMismatch } from "./mismatch.ts";

/** A page that the guest maps at boot, two data frames, and one that nothing maps. */
const page = 1 as Vpn;
const one = 1100;
const other = 1200;
const full = userPage;

const engineNames = Object.keys(engines) as EngineName[];

test.each(engineNames)("under %s it agrees with a guest that does nothing special", (engine) => {
  const { vcpu, oracle, image } = checkedGuest({ engine });
  for (const vpn of image.userPages) {
    vcpu.write(vpn, 8);
    vcpu.read(vpn);
    vcpu.fetch(vpn);
  }
  vcpu.drain();
  expect(oracle.checked).toBe(3 * image.userPages.length);
  expect(oracle.stale).toBe(0);
});

test("a translation that was cached before a store is legal until INVLPG, and not after", () => {
  const { vcpu, oracle, setEntry, place } = checkedGuest();
  setEntry(page, 1, one, full);
  vcpu.invlpg(page);
  vcpu.read(page);
  vcpu.drain();
  setEntry(page, 1, other, full);
  expect(() => oracle.access(0, page, 0, place(one))).not.toThrow();
  expect(oracle.stale).toBe(1);
  vcpu.invlpg(page);
  expect(() => oracle.access(0, page, 0, place(one))).toThrow(OracleMismatch);
  expect(() => oracle.access(0, page, 0, place(other))).not.toThrow();
});

test("INVLPG of another page leaves a TLB entry and takes the paging-structure entries", () => {
  const { vcpu, oracle, setEntry, place, table, direct, image } = checkedGuest();
  setEntry(page, 1, one, full);
  vcpu.invlpg(page);
  vcpu.read(page);
  vcpu.drain();
  // The PDE moves to another table: its old value may sit in the PDE cache and, for `page`, in the TLB.
  setEntry(page, 2, image.spareTables[0]!, userLink);
  vcpu.invlpg(9 as Vpn);
  expect(() => oracle.access(0, page, 0, place(one))).not.toThrow();
  // Written after the PDE moved, so only the PDE cache could lead to it, and that is empty.
  vcpu.store(direct(table(page, 1)), 2, (one << 12) | full, 0);
  expect(() => oracle.access(0, 2 as Vpn, 0, place(one))).toThrow(OracleMismatch);
});

test("an old PDE may meet a PTE that is newer than itself, even in a freed table", () => {
  const { vcpu, oracle, setEntry, place, table, image, direct } = checkedGuest();
  vcpu.read(page);
  vcpu.drain();
  const freed = table(page, 1);
  setEntry(page, 2, image.spareTables[0]!, userLink);
  vcpu.store(direct(freed), 1, (one << 12) | full, 0);
  expect(() => oracle.access(0, page, 0, place(one))).not.toThrow();
  vcpu.writeCr3(image.spaces[0]!.root);
  expect(() => oracle.access(0, page, 0, place(one))).toThrow(OracleMismatch);
});

test("an entry that was not present is never cached, nor one that was never used", () => {
  const { vcpu, oracle, setEntry, place } = checkedGuest();
  setEntry(page, 1, one, withoutPresent(full));
  setEntry(page, 1, other, freshPage);
  setEntry(page, 1, 1300, full);
  const fault = { vpn: page, offset: 0, error: 0 };
  expect(() => oracle.guestFault(0, fault, 0)).toThrow(/took #PF with error code 0x0/);
  // A=0 all the time that it stood: no walk can have come through.
  expect(() => oracle.access(0, page, 0, place(other))).toThrow(OracleMismatch);
  expect(() => oracle.access(0, page, 0, place(1300))).not.toThrow();
  expect(vcpu.ledger.guestPageFaults).toBe(0);
});

test("a completed access needs A at every level, and a store D at the leaf", () => {
  const { vcpu, oracle, setEntry, place, table } = checkedGuest();
  vcpu.read(page);
  setEntry(page, 1, one, freshPage);
  vcpu.invlpg(page);
  expect(() => oracle.access(0, page, 0, place(one))).toThrow(/once its A and D bits are set/);
  setEntry(page, 1, one, userLink);
  vcpu.invlpg(page);
  expect(() => oracle.access(0, page, 0, place(one))).not.toThrow();
  expect(() => oracle.access(0, page, STORE, place(one))).toThrow(/once its A and D bits are set/);
  setEntry(page, 3, table(page, 2), freshPage);
  vcpu.writeCr3(vcpu.cr3.root);
  expect(() => oracle.access(0, page, 0, place(one))).toThrow(OracleMismatch);
});

test.each([
  ["user load", USER, kernelPage, 0],
  ["supervisor store", STORE, withoutWrite(userPage), 0],
  ["user store", STORE | USER, withoutWrite(userPage), 0],
  ["supervisor fetch", FETCH, full, noExecute],
])("a %s that the entry forbids must not complete, and must fault", (_, kind, flags, nx) => {
  const { vcpu, oracle, setEntry, place } = checkedGuest();
  vcpu.read(page);
  setEntry(page, 1, one, flags, nx);
  vcpu.invlpg(page);
  expect(() => oracle.access(0, page, kind, place(one))).toThrow(/legal: #PF \(protection/);
  const user = (kind & USER) === 0 ? 0 : PF_USER;
  const fetch = (kind & FETCH) === 0 ? 0 : 16;
  const error = PF_PRESENT | user | fetch | ((kind & STORE) === 0 ? 0 : PF_WRITE);
  expect(() => oracle.guestFault(0, { vpn: page, offset: 0, error }, kind)).not.toThrow();
  const wrong = { vpn: page, offset: 0, error: error ^ PF_PRESENT };
  expect(() => oracle.guestFault(0, wrong, kind)).toThrow(OracleMismatch);
  const mislabelled = { vpn: page, offset: 0, error: error ^ PF_WRITE };
  expect(() => oracle.guestFault(0, mislabelled, kind)).toThrow(OracleMismatch);
});

test("CR0.WP decides whether a supervisor store needs W", () => {
  const { vcpu, oracle, setEntry, place } = checkedGuest();
  vcpu.read(page);
  setEntry(page, 1, one, withoutWrite(userPage));
  vcpu.invlpg(page);
  vcpu.writeRegisters("cr0", { ...vcpu.registers, writeProtect: false });
  expect(() => oracle.access(0, page, STORE, place(one))).not.toThrow();
  expect(() => oracle.access(0, page, STORE | USER, place(one))).toThrow(OracleMismatch);
});

test("a cached entry with fewer rights excuses a fault until it is invalidated", () => {
  const { vcpu, oracle, setEntry } = checkedGuest();
  setEntry(page, 1, one, withoutWrite(userLink));
  vcpu.invlpg(page);
  vcpu.read(page);
  setEntry(page, 1, one, full);
  const fault = { vpn: page, offset: 0, error: PF_PRESENT | PF_WRITE };
  expect(() => oracle.guestFault(0, fault, STORE)).not.toThrow();
  vcpu.invlpg(page);
  expect(() => oracle.guestFault(0, fault, STORE)).toThrow(OracleMismatch);
});

test("reserved bits fault as such, at any level", () => {
  const { vcpu, oracle, setEntry } = checkedGuest();
  // Bit 12 of a large page's entry is PAT, bit 13 must be zero.
  setEntry(page, 2, 1024 + 2, asLarge(userLink));
  vcpu.invlpg(page);
  const error = PF_PRESENT | PF_RESERVED;
  expect(() => oracle.guestFault(0, { vpn: page, offset: 0, error }, 0)).not.toThrow();
  const plain = { vpn: page, offset: 0, error: PF_PRESENT };
  expect(() => oracle.guestFault(0, plain, 0)).toThrow(OracleMismatch);
});

test("an invalidation covers the vCPU that made it and no other", () => {
  const { machine, oracle, setEntry, place } = checkedGuest({ vcpus: 2 });
  setEntry(page, 1, one, full);
  for (const vcpu of machine.vcpus) {
    vcpu.invlpg(page);
    vcpu.read(page);
    vcpu.drain();
  }
  setEntry(page, 1, other, full);
  machine.vcpus[0]!.invlpg(page);
  expect(() => oracle.access(1, page, 0, place(one))).not.toThrow();
  expect(() => oracle.access(0, page, 0, place(one))).toThrow(OracleMismatch);
});

test("a CR3 write spares global translations and, with no-flush, those of its PCID", () => {
  const { vcpu, oracle, setEntry, place, image } = checkedGuest({ pcid: true });
  const { root } = image.spaces[0]!;
  const globalPage = 2 as Vpn;
  setEntry(page, 1, one, full);
  setEntry(globalPage, 1, one, asGlobal(full));
  vcpu.invpcid("all-with-globals", 0);
  vcpu.read(page);
  vcpu.read(globalPage);
  setEntry(page, 1, other, full);
  setEntry(globalPage, 1, other, full);
  vcpu.writeCr3(root, 5);
  expect(() => oracle.access(0, page, 0, place(one))).toThrow(OracleMismatch);
  expect(() => oracle.access(0, globalPage, 0, place(one))).not.toThrow();
  vcpu.writeCr3(root, 0, true);
  expect(() => oracle.access(0, page, 0, place(one))).not.toThrow();
  vcpu.writeCr3(root, 0, false);
  expect(() => oracle.access(0, page, 0, place(one))).toThrow(OracleMismatch);
  expect(() => oracle.access(0, globalPage, 0, place(one))).not.toThrow();
  vcpu.invlpg(globalPage);
  expect(() => oracle.access(0, globalPage, 0, place(one))).toThrow(OracleMismatch);
});

test.each(["address", "context", "all", "all-with-globals"] as const)(
  "INVPCID %s ends what another PCID has cached of a page",
  (type) => {
    const { vcpu, oracle, setEntry, place, image } = checkedGuest({ pcid: true });
    const { root } = image.spaces[0]!;
    setEntry(page, 1, one, full);
    vcpu.writeCr3(root, 3);
    vcpu.read(page);
    vcpu.writeCr3(root, 0, true);
    setEntry(page, 1, other, full);
    vcpu.invpcid(type, 3, page);
    vcpu.writeCr3(root, 3, true);
    expect(() => oracle.access(0, page, 0, place(one))).toThrow(OracleMismatch);
  },
);

test("INVLPG drops a large page whole, and INVPCID of an address only that address", () => {
  const stale = (flush: "invlpg" | "invpcid") => {
    const { vcpu, oracle, setEntry, place, image } = checkedGuest({ pcid: true });
    setEntry(page, 2, 1024, asLarge(full));
    vcpu.writeCr3(image.spaces[0]!.root);
    vcpu.read(page);
    setEntry(page, 2, 1536, asLarge(full));
    if (flush === "invlpg") vcpu.invlpg(77 as Vpn);
    else vcpu.invpcid("address", 0, 77 as Vpn);
    return () => oracle.access(0, page, 0, place(1025));
  };
  expect(stale("invlpg")).toThrow(OracleMismatch);
  expect(stale("invpcid")).not.toThrow();
});

test("data lost on its way is found by the next load", () => {
  const { vcpu, machine, direct, place } = checkedGuest({ engine: "ept" });
  vcpu.write(direct(one));
  vcpu.copyPage(direct(other), direct(one));
  vcpu.read(direct(other));
  vcpu.drain();
  // A copy that never happened: the target has the version that it had before.
  machine.memory.stamps[place(other)] = 0;
  vcpu.read(direct(other));
  expect(() => vcpu.drain()).toThrow(/found old data/);
});

test("a zeroed page has no version, whoever zeroed it, and a copy onto itself keeps its own", () => {
  const { vcpu, machine, direct, place, oracle } = checkedGuest();
  vcpu.write(direct(one));
  vcpu.copyPage(direct(one), direct(one));
  vcpu.read(direct(one));
  vcpu.zeroPage(direct(one));
  vcpu.read(direct(one));
  vcpu.drain();
  expect(machine.memory.stamps[place(one)]).toBe(0);
  expect(oracle.stale).toBe(0);
});

test("a frame that the host replaced is followed, and the old one is not legal any more", () => {
  const { vcpu, hypervisor, oracle, direct, place } = checkedGuest({ engine: "ept" });
  vcpu.write(direct(one));
  vcpu.drain();
  hypervisor.host({ kind: "reclaim", start: one as Gfn, frames: 1 });
  vcpu.read(direct(one));
  vcpu.drain();
  expect(vcpu.mmu.lastPfn()).not.toBe(place(one));
  expect(() => oracle.access(0, direct(one), 0, place(one))).toThrow(OracleMismatch);
});

test("a store that the dirty log does not report is a lost page", () => {
  const { vcpu, hypervisor, direct } = checkedGuest({
    engine: "ept-wp",
    plant: (made) => ({
      ...made,
      host: (event) => made.host(event).filter((gfn) => gfn !== other),
    }),
  });
  hypervisor.host({ kind: "dirty-log-on", start: 1024 as Gfn, frames: 1024 });
  vcpu.write(direct(one));
  vcpu.drain();
  expect(hypervisor.host({ kind: "dirty-log-get" })).toEqual([one]);
  vcpu.write(direct(one));
  vcpu.write(direct(other));
  vcpu.drain();
  expect(() => hypervisor.host({ kind: "dirty-log-get" })).toThrow(/gfn 0x4b0 was written/);
});

test("a mismatch names engine, access, both frames and the guest's walk", () => {
  const { oracle } = checkedGuest({ engine: "shadow" });
  const message = messageOf(() => oracle.access(0, page, STORE | USER, 0x123 as Pfn));
  expect(message).toMatch(/^shadow: user store at GVA 1000 \(vpn 0x1\), PCID 0 reached pfn 0x123/);
  expect(message).toMatch(/legal: gfn 0x401/);
  expect(message.split("\n").slice(1)).toEqual([
    expect.stringMatching(/^ {2}level 4: gfn 0x\w+ entry 0 = \w+27$/),
    expect.stringMatching(/^ {2}level 3: gfn 0x\w+ entry 0 = \w+27$/),
    expect.stringMatching(/^ {2}level 2: gfn 0x\w+ entry 0 = \w+27$/),
    expect.stringMatching(/^ {2}level 1: gfn 0x\w+ entry 1 = 401007$/),
  ]);
});

function messageOf(body: () => void): string {
  try {
    body();
  } catch (error) {
    if (error instanceof Error) return error.message;
  }
  return "nothing was thrown";
}
