/**
 * Host pages of 1 GiB under every engine: what they save in walks and exits, and what it costs to part one.
 */
import { describe, expect, test } from "vitest";
import { type EngineName, engines } from "../../engines/index.ts";
import type { Gfn, Vpn } from "../../machine/address.ts";
import { asLarge, lowHalf, userPage } from "../../machine/formats/x86-entry.ts";
import type { HostEvent } from "../../hypervisor/host-events.ts";
import { presets } from "../../machine/presets.ts";
import { checkedGuest } from "./checked-guest.ts";

/** Counted in their own tests: tables of other shapes, and of both kinds. */
const reshaped: ReadonlySet<string> = new Set([
  "ept-flat",
  "ept-folded",
  "agile",
  "shsp",
  "shsp-process",
]);
const names = (Object.keys(engines) as EngineName[]).filter((name) => !reshaped.has(name));
const nested = names.filter((name) => engines[name].family === "nested");
const shadows = names.filter((name) => engines[name].family === "shadow");
const gib = 512 ** 2;
const page = 1200;

/** A guest of 2 GiB whose second GiB holds data only; `large` is a page of it, mapped by 1 GiB and not touched yet. */
function untouched(engine: EngineName) {
  const guest = checkedGuest({
    engine,
    preset: presets.textbook,
    backing: "1g",
    guestFrames: 2 * gib,
  });
  const { vcpu, hypervisor, machine } = guest;
  const large = (gib + 77) as Vpn;
  guest.setEntry(gib, 3, gib, asLarge(userPage));
  vcpu.invlpg(gib as Vpn);
  const counted = (act: () => void) => {
    const before = machine.snapshot().ledger;
    act();
    vcpu.drain();
    const after = machine.snapshot().ledger;
    return (name: keyof typeof after) => after[name] - before[name];
  };
  const host = (event: HostEvent) => hypervisor.host(event);
  return { ...guest, large, counted, host };
}

function guestOf(engine: EngineName) {
  const guest = untouched(engine);
  guest.vcpu.write(guest.large);
  guest.vcpu.drain();
  return guest;
}

/** References of one cold walk, guest and nested. */
function walk(engine: EngineName, vpnOf: (guest: ReturnType<typeof guestOf>) => Vpn) {
  const guest = guestOf(engine);
  const vpn = vpnOf(guest);
  guest.vcpu.write(vpn);
  const count = guest.counted(() => guest.vcpu.read(vpn));
  expect(count("walks")).toBe(1);
  return [count("walkReferencesGuest"), count("walkReferencesNested")];
}

// n + m(n + 1), with m = 2 nested entries where the host's page is of 1 GiB. Seen failing with 2 MiB leaves for it.
describe.each(nested)("%s", (engine) => {
  test("a walk of a 4 KiB guest page on 1 GiB host pages costs 4 + 10, of a 1 GiB page 2 + 6", () => {
    expect(walk(engine, ({ direct }) => direct(page))).toEqual([4, 10]);
    expect(walk(engine, ({ large }) => large)).toEqual([2, 6]);
  });

  // Seen failing with leaves that map the first 2 MiB only.
  test("one violation maps all of a GiB", () => {
    const { vcpu, counted, large } = guestOf(engine);
    const count = counted(() => {
      for (const at of [0, 1, 511, 512, gib / 2, gib - 1 - 77]) vcpu.write((large + at) as Vpn);
    });
    expect(count("exitsEptViolation")).toBe(0);
  });
});

// Seen failing with host pages of 1 GiB taken for 2 MiB, and with a large leaf over a frame that is a table.
test.each(shadows)(
  "%s maps a 1 GiB guest page by one entry where no table is, and only there",
  (engine) => {
    const isVirtualTlb = engine === "shadow-vtlb";
    expect(walk(engine, ({ large }) => large)).toEqual([isVirtualTlb ? 4 : 2, 0]);
    expect(walk(engine, ({ direct }) => direct(page))).toEqual([4, 0]);
    const { vcpu, setEntry, table, place } = guestOf(engine);
    setEntry(gib, 3, 0, asLarge(userPage));
    vcpu.invlpg(gib as Vpn);
    vcpu.read(0 as Vpn);
    vcpu.write((gib + page) as Vpn);
    // Tables lie there: a store through this mapping must be seen, which one large entry could not.
    vcpu.store((gib + table(0, 1)) as Vpn, 0, lowHalf(page, userPage), 0);
    vcpu.invlpg(0 as Vpn);
    vcpu.read(0 as Vpn);
    vcpu.drain();
    expect(vcpu.mmu.lastPfn()).toBe(place(page));
  },
);

// Seen failing with neighbours counted as those of 2 MiB.
test.each([
  "ept",
  "npt",
  "kvm-tdp",
  "kvm-tdp-legacy",
  "shadow",
  "shadow-lazy",
  "kvm-6.12",
] as const)(
  "under %s a page that the host swaps out parts its GiB, and its neighbours fault again",
  (engine) => {
    const { vcpu, counted, host, large, oracle } = guestOf(engine);
    const evicted = counted(() => host({ kind: "evict", start: (gib + 5) as Gfn, frames: 3 }));
    expect(evicted("hostSwapOuts")).toBe(3);
    expect(evicted("neighboursUnmapped")).toBe(gib - 3);
    const again = counted(() => {
      vcpu.write(large);
      vcpu.write((gib + 512) as Vpn);
      vcpu.write((gib + 513) as Vpn);
      vcpu.write((gib + 5) as Vpn);
    });
    expect(again("hostMajorFaults")).toBe(1);
    // The page's own 2 MiB lies in pieces now, by 4 KiB; the others are of 2 MiB.
    expect(again("exits")).toBe(3);
    oracle.sharing.checkTables();
  },
);

test.each(["ept", "npt", "kvm-tdp", "shadow", "shadow-vtlb", "shadow-lazy"] as const)(
  "under %s a snapshot of a 1 GiB page keeps its contents, and what is written parts from it",
  (engine) => {
    const { vcpu, counted, host, large, oracle } = guestOf(engine);
    host({ kind: "snapshot", start: gib as Gfn, frames: gib });
    const count = counted(() => {
      vcpu.read(large);
      vcpu.write(large);
      vcpu.write((large + 512) as Vpn);
      vcpu.write(large);
      vcpu.read((large + 1) as Vpn);
    });
    expect(count("sharesBroken")).toBe(2);
    oracle.sharing.checkSnapshot();
    oracle.sharing.checkTables();
  },
);

const loggers = names.filter((name) => /-(wp|ad|pml|ring)|^kvm/.test(name));
const before = ["untouched", "touched"] as const;

// Seen failing under kvm-tdp and kvm-6.12 with a log that is asked about the faulting page alone, and under
// kvm-tdp-legacy with one that lifts a large leaf's protection for it: writes to the logged pages pass unseen.
test.each(loggers.flatMap((engine) => before.map((gibibyte) => [engine, gibibyte] as const)))(
  "under %s a log of some pages of an %s GiB sees every write to them, whoever faults first",
  (engine, gibibyte) => {
    const { vcpu, host, large } = gibibyte === "touched" ? guestOf(engine) : untouched(engine);
    const range = { start: (gib + 64) as Gfn, frames: 128 };
    host({ kind: "dirty-log-on", ...range });
    const write = (...pages: readonly number[]) => {
      for (const at of pages) vcpu.write(at as Vpn);
      vcpu.drain();
      const reported = host({ kind: "dirty-log-get" });
      host({ kind: "dirty-log-clear", ...range });
      return reported;
    };
    expect(write(gib + 3 * 512, gib + 1, large, large + 1)).toEqual([gib + 77, gib + 78]);
    expect(write(gib + 3 * 512, large + 1)).toEqual([gib + 78]);
    host({ kind: "dirty-log-off" });
    expect(write(large)).toEqual([]);
  },
);
