/**
 * What each guest instruction costs under each family of schemes, counted by hand: exits by reason, shadow pages and
 * entries, and what is flushed. Two vCPUs, so that what one does to the other is counted too.
 */
import { describe, expect, test } from "vitest";
import type { Gfn, Vpn } from "../machine/address.ts";
import { counterNames, type Ledger } from "../machine/counters.ts";
import { freshPage, userPage, withoutWrite } from "../machine/formats/x86-entry.ts";
import { presets } from "../machine/presets.ts";
import type { Engine } from "../hypervisor/engine.ts";
import { ept } from "./ept.ts";
import { kvmTdp } from "./kvm-tdp.ts";
import { kvmTdpLegacy } from "./kvm-tdp-legacy.ts";
import { TestGuest } from "./kvm/test-guest.ts";
import { native } from "./native.ts";
import { npt } from "./npt.ts";
import { shadowLazy } from "./shadow-lazy.ts";
import { shadowVtlb } from "./shadow-vtlb.ts";
import { shadow } from "./shadow.ts";

type Counts = Partial<Ledger>;

const userVpn = (512 ** 3) as Vpn;
const exitNames = counterNames.filter((name) => /^exits[A-Z]/.test(name));

/** Space 0 maps 16 pages with A and D set, space 1 the same frames with both clear. */
function guestOf(engine: Engine) {
  const guest = new TestGuest(engine, { vcpus: 2, preset: presets["skylake-sp"] });
  const ready = guest.space(0, 16);
  const clean = guest.space(1, 16, freshPage);
  const vcpu = guest.machine.vcpus[0]!;
  const touch = (access: "read" | "write", pages: number) => {
    for (let page = 0; page < pages; page++) guest[access](page);
  };
  return { guest, ready, clean, vcpu, touch };
}

/** Exactly these exits, their sum, and at least the other counts. */
function expectCost(cost: Ledger, expected: Counts): void {
  const wanted = exitNames.map((name) => [name, expected[name] ?? 0] as const);
  const exits = wanted.reduce((sum, [, count]) => sum + count, 0);
  expect(cost).toMatchObject({ ...Object.fromEntries(wanted), ...expected, exits });
}

describe("privileged instructions", () => {
  const none: Counts = {};
  const shadows = {
    cpuid: { exitsCpuid: 1 },
    cr3Read: { exitsCr3Read: 1 },
    invlpg: { exitsInvlpg: 1, invlpgs: 1, flushesPage: 1 },
    invpcid: { exitsInvpcid: 1, invpcids: 1 },
    cr0: { exitsCr0Write: 1, controlRegisterWrites: 1 },
    cr4: { exitsCr4Write: 1, controlRegisterWrites: 1 },
  };
  const nested = {
    cpuid: { exitsCpuid: 1 },
    cr3Read: none,
    invlpg: { invlpgs: 1, flushesPage: 1 },
    invpcid: { invpcids: 1 },
    cr0: { controlRegisterWrites: 1, flushesLinear: 0 },
    cr4: { controlRegisterWrites: 1, flushesLinear: 1 },
  };
  const svm = {
    ...nested,
    cr0: { ...nested.cr0, exitsCr0Write: 1 },
    cr4: { ...nested.cr4, exitsCr4Write: 1 },
  };
  test.each([
    ["shadow", shadow, shadows],
    ["shadow-vtlb", shadowVtlb, shadows],
    ["shadow-lazy", shadowLazy, shadows],
    ["ept", ept, nested],
    ["npt", npt, nested],
    ["kvm-tdp", kvmTdp, svm],
    ["kvm-tdp-legacy", kvmTdpLegacy, svm],
  ] as const)("under %s exit as its control fields say", (_name, engine, expected) => {
    const { guest, ready, vcpu } = guestOf(engine);
    guest.load(ready.root);
    expectCost(
      guest.cost(() => vcpu.cpuid()),
      expected.cpuid,
    );
    expectCost(
      guest.cost(() => vcpu.readCr3()),
      expected.cr3Read,
    );
    expectCost(
      guest.cost(() => guest.invlpg(3)),
      expected.invlpg,
    );
    for (const type of ["address", "context", "all", "all-with-globals"] as const) {
      expectCost(
        guest.cost(() => vcpu.invpcid(type, 0, userVpn)),
        expected.invpcid,
      );
    }
    const { registers } = vcpu;
    const cr0 = () => vcpu.writeRegisters("cr0", { ...registers, writeProtect: false });
    expectCost(guest.cost(cr0), expected.cr0);
    const cr4 = () => vcpu.writeRegisters("cr4", { ...registers, globalPages: false });
    expectCost(guest.cost(cr4), expected.cr4);
    expect(vcpu.registers).toEqual({ ...registers, globalPages: false });
  });

  test("flush what they name, and nothing else", () => {
    const { guest, ready, vcpu } = guestOf(ept);
    guest.load(ready.root);
    const flushes = (ops: () => void) => {
      const { flushesPage, flushesContext, flushesLinear, flushesNested } = guest.cost(ops);
      return [flushesPage, flushesContext, flushesLinear, flushesNested];
    };
    expect(flushes(() => vcpu.invpcid("address", 0, userVpn))).toEqual([1, 0, 0, 0]);
    expect(flushes(() => vcpu.invpcid("context", 0))).toEqual([0, 1, 0, 0]);
    expect(flushes(() => vcpu.invpcid("all", 0))).toEqual([0, 1, 0, 0]);
    expect(flushes(() => vcpu.invpcid("all-with-globals", 0))).toEqual([0, 0, 1, 0]);
    expect(flushes(() => vcpu.writeCr3(ready.root))).toEqual([0, 1, 0, 0]);
    // The no-flush bit means nothing until CR4.PCIDE is set.
    expect(flushes(() => vcpu.writeCr3(ready.root, 0, true))).toEqual([0, 1, 0, 0]);
    const { registers } = vcpu;
    const cr4 = (change: object) => () => vcpu.writeRegisters("cr4", { ...registers, ...change });
    expect(flushes(cr4({ pcid: true }))).toEqual([0, 0, 0, 0]);
    const kept = guest.cost(() => vcpu.writeCr3(ready.root, 5, true));
    expect(kept).toMatchObject({ cr3Writes: 1, cr3WritesKept: 1, flushesContext: 0 });
    const flushed = guest.cost(() => vcpu.writeCr3(ready.root, 5, false));
    expect(flushed).toMatchObject({ cr3Writes: 1, cr3WritesKept: 0, flushesContext: 1 });
    expect(flushes(cr4({ pcid: false }))).toEqual([0, 0, 1, 0]);
    expect(flushes(cr4({ globalPages: false }))).toEqual([0, 0, 1, 0]);
    expect(flushes(cr4({ globalPages: false }))).toEqual([0, 0, 0, 0]);
  });
});

describe("trap-on-write shadow paging", () => {
  test("shadows a root with all below it at once: four tables, their links and leaves", () => {
    const { guest, ready, touch } = guestOf(shadow);
    const first = guest.cost(() => guest.load(ready.root));
    expectCost(first, {
      exitsCr3Write: 1,
      shadowPagesAllocated: 4,
      // 16 leaves; the links of the root to both halves, and one in each upper table.
      entriesFilled: 16 + 4,
      // The kernel could store to the four tables until now, on either vCPU.
      entriesWriteProtected: 4,
      remoteFlushes: 1,
      remoteInterrupts: 1,
    });
    expectCost(
      guest.cost(() => touch("write", 16)),
      { accesses: 16, stores: 16 },
    );
    const again = guest.cost(() => guest.load(ready.root));
    expectCost(again, { exitsCr3Write: 1, entriesFilled: 0, remoteInterrupts: 0 });
  });

  test("emulates each entry that is stored, and mirrors it at once", () => {
    const { guest, ready } = guestOf(shadow);
    guest.load(ready.root);
    const emulated = { exitsPageFault: 1, emulatedStores: 1, emulatedPteWrites: 1, accesses: 1 };
    const fresh = guest.cost(() => guest.store(ready.pt, 20, guest.data(20), userPage));
    expectCost(fresh, { ...emulated, softwareWalks: 1, entriesFilled: 1, entriesDropped: 0 });
    expectCost(
      guest.cost(() => guest.write(20)),
      { accesses: 1 },
    );
    const changed = guest.cost(() => guest.store(ready.pt, 20, guest.data(21), userPage));
    expectCost(changed, { ...emulated, entriesFilled: 1, entriesDropped: 1 });
    const readOnly = guest.cost(() =>
      guest.store(ready.pt, 0, guest.data(0), withoutWrite(userPage)),
    );
    expectCost(readOnly, { ...emulated, entriesFilled: 1, entriesDropped: 1 });
    guest.invlpg(0);
    expectCost(
      guest.cost(() => guest.write(0)),
      {
        exitsPageFault: 1,
        guestFaultsReflected: 1,
        guestPageFaults: 1,
        hiddenFaults: 0,
      },
    );
    const zeroed = guest.cost(() => guest.zero(ready.pt));
    expectCost(zeroed, { ...emulated, entriesDropped: 17, entriesFilled: 0 });
  });

  test("fills an entry without A by a fault, and without D again by the first store", () => {
    const { guest, clean } = guestOf(shadow);
    const load = guest.cost(() => guest.load(clean.root));
    expectCost(load, { exitsCr3Write: 1, shadowPagesAllocated: 4, entriesFilled: 4 });
    const hidden = { exitsPageFault: 1, hiddenFaults: 1, softwareWalks: 1, entriesFilled: 1 };
    expectCost(
      guest.cost(() => guest.read(0)),
      { ...hidden, entriesDropped: 0 },
    );
    expectCost(
      guest.cost(() => guest.write(0)),
      { ...hidden, entriesDropped: 1 },
    );
    expectCost(
      guest.cost(() => guest.write(0)),
      {},
    );
    expectCost(
      guest.cost(() => guest.write(1)),
      { ...hidden, entriesDropped: 0 },
    );
    expectCost(
      guest.cost(() => guest.write(1)),
      {},
    );
  });

  test("drops what maps a frame that the host takes, in every space", () => {
    const { guest, ready, clean } = guestOf(shadow);
    guest.load(clean.root);
    guest.write(0);
    guest.load(ready.root);
    const gone = guest.cost(() => guest.host({ kind: "reclaim", start: guest.data(0), frames: 2 }));
    // Page 0 in both spaces and in the kernel's map; page 1 in one space and the kernel's map.
    expect(gone).toMatchObject({ entriesDropped: 5, remoteFlushes: 1, remoteInterrupts: 2 });
    const back = guest.cost(() => [0, 1, 2].forEach((page) => guest.read(page)));
    expect(back).toMatchObject({ exits: 2, hiddenFaults: 2, hostFaults: 2 });
  });
});

describe("the virtual TLB", () => {
  test("is empty after each CR3 write, and filled by one fault per page", () => {
    const { guest, ready, vcpu, touch } = guestOf(shadowVtlb);
    for (let round = 0; round < 2; round++) {
      // The fetch of code is a page too.
      const load = guest.cost(() => guest.load(ready.root));
      expectCost(load, { exitsCr3Write: 1, exitsPageFault: 1, hiddenFaults: 1, entriesFilled: 1 });
      expectCost(
        guest.cost(() => touch("write", 16)),
        {
          exitsPageFault: 16,
          hiddenFaults: 16,
          softwareWalks: 16,
          entriesFilled: 16,
        },
      );
      expectCost(
        guest.cost(() => touch("write", 16)),
        {},
      );
    }
    // Both registers change what a translation means, so they empty it too.
    for (const register of ["cr0", "cr4"] as const) {
      const { registers } = vcpu;
      const writeProtect = register === "cr0" ? !registers.writeProtect : registers.writeProtect;
      const write = () => vcpu.writeRegisters(register, { ...registers, writeProtect });
      expect(guest.exits(write)).toBe(1);
      expect(guest.exits(() => touch("write", 16))).toBe(16);
    }
    // The guest's table is an ordinary page: one fault to map it, and stores run.
    expectCost(
      guest.cost(() => guest.store(ready.pt, 20, guest.data(20), userPage)),
      {
        exitsPageFault: 1,
        entriesFilled: 1,
        emulatedStores: 0,
      },
    );
    expectCost(
      guest.cost(() => guest.store(ready.pt, 21, guest.data(21), userPage)),
      {},
    );
  });

  test("forgets one page at INVLPG, and all of them when the host takes a frame", () => {
    const { guest, ready, vcpu, touch } = guestOf(shadowVtlb);
    // INVPCID takes other numbers than 0 with PCIDs only.
    vcpu.writeRegisters("cr4", { ...vcpu.registers, pcid: true });
    guest.load(ready.root);
    touch("write", 4);
    guest.invlpg(2);
    expect(guest.exits(() => touch("write", 4))).toBe(1);
    vcpu.invpcid("address", 7, userVpn);
    expect(guest.exits(() => touch("write", 4))).toBe(0);
    vcpu.invpcid("address", 0, userVpn);
    expect(guest.exits(() => touch("write", 4))).toBe(1);
    guest.host({ kind: "reclaim", start: guest.data(3), frames: 2 });
    const back = guest.cost(() => touch("write", 5));
    expect(back).toMatchObject({ exits: 5, hostFaults: 2 });
    const out = guest.cost(() => guest.host({ kind: "evict", start: guest.data(1), frames: 2 }));
    // Five pages are mapped; three of them were not asked for.
    expect(out).toMatchObject({ entriesDropped: 5, neighboursUnmapped: 3, hostSwapOuts: 2 });
    expect(guest.cost(() => touch("write", 4))).toMatchObject({ exits: 4, hostMajorFaults: 2 });
  });

  test("drops all pieces of a large guest page at INVLPG of one of them", () => {
    const guest = new TestGuest(shadowVtlb);
    const tables = guest.largeSpace(0);
    guest.load(tables.root);
    const pages = () => [0, 100, 511].forEach((page) => guest.write(page));
    expect(guest.exits(pages)).toBe(3);
    expect(guest.exits(pages)).toBe(0);
    guest.invlpg(7);
    expect(guest.exits(pages)).toBe(3);
  });
});

test("bare metal reads and writes guest memory where it is", () => {
  const guest = new TestGuest(native);
  guest.set(0x400, 7, 0x123, userPage);
  expect([guest.frame(0x400, 7), guest.flags(0x400, 7)]).toEqual([0x123, userPage]);
  guest.hypervisor.memory.write(0x400 as Gfn, 8, 5, 6);
  expect(guest.hypervisor.memory.readHigh(0x400 as Gfn, 8)).toBe(6);
  expect(guest.exits(() => guest.load(guest.space(0, 4).root))).toBe(0);
});

describe("nested paging", () => {
  test.each([
    ["ept", ept],
    ["npt", npt],
    ["kvm-tdp", kvmTdp],
  ] as const)("%s drops a leaf for each mapped frame that the host takes", (_name, engine) => {
    const { guest, ready, touch } = guestOf(engine);
    guest.load(ready.root);
    touch("write", 4);
    const start = guest.data(2);
    const gone = guest.cost(() => guest.host({ kind: "reclaim", start, frames: 8 }));
    expect(gone).toMatchObject({ entriesDropped: 2, remoteInterrupts: 2 });
    expectCost(
      guest.cost(() => touch("write", 4)),
      { exitsEptViolation: 2, hostFaults: 2 },
    );
  });

  test.each([
    ["ept", ept, 16],
    ["npt", npt, 16],
    ["kvm-tdp", kvmTdp, 0],
  ] as const)("%s takes one violation per frame, and sets D itself unless it is set", (...of) => {
    const [, engine, dirty] = of;
    const { guest, ready, touch } = guestOf(engine);
    expectCost(
      guest.cost(() => guest.load(ready.root)),
      { flushesContext: 1 },
    );
    const first = guest.cost(() => touch("write", 16));
    expectCost(first, {
      exitsEptViolation: 16,
      faultsFixed: 16,
      entriesFilled: 16,
      dirtyBitsSet: dirty,
    });
    expectCost(
      guest.cost(() => touch("write", 16)),
      { dirtyBitsSet: 0 },
    );
    expectCost(
      guest.cost(() => guest.zero(ready.pt)),
      { accesses: 1 },
    );
    guest.load(ready.root);
    expectCost(
      guest.cost(() => guest.read(0)),
      { guestPageFaults: 1 },
    );
  });
});
