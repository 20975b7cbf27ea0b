/** The rules of the ground truth that need several vCPUs, large pages, logging or the page limit. */
import type { Gfn } from "../../machine/address.ts";
import { describe, expect, test } from "vitest";
import { userLink, userPage, withoutDirty, withoutWrite } from "../../machine/formats/x86-entry.ts";
import { kvmTdpLegacy } from "../kvm-tdp-legacy.ts";
import { kvmTdp } from "../kvm-tdp.ts";
import { shadowLazyKvm61, shadowLazyKvm612, shadowLazyXen } from "../shadow-lazy.ts";
import { TestGuest } from "./test-guest.ts";

const kernels = [
  ["6.1", shadowLazyKvm61],
  ["6.12", shadowLazyKvm612],
] as const;

const allData = { start: 0x800 as Gfn, frames: 0x800 };

function pages(guest: TestGuest, count: number, step = 1): void {
  for (let page = 0; page < count; page += step) guest.write(page);
}

describe.each(kernels)("kernel %s", (_name, engine) => {
  function threads() {
    const guest = new TestGuest(engine, { vcpus: 2 });
    const tables = guest.space(0, 16);
    guest.load(tables.root);
    pages(guest, 16);
    return { guest, tables };
  }

  test("threads share shadow pages: the second one's touches are free", () => {
    const { guest, tables } = threads();
    guest.on(1);
    const cost = guest.cost(() => {
      guest.load(tables.root);
      pages(guest, 16);
    });
    expect(cost.exits).toBe(1);
  });

  test("a CR3 load by any vCPU protects the table again for all", () => {
    const { guest, tables } = threads();
    guest.store(tables.pt, 20, guest.data(20), userPage);
    guest.on(1);
    guest.load(tables.root);
    guest.on(0);
    expect(guest.exits(() => guest.store(tables.pt, 21, guest.data(21), userPage))).toBe(1);
  });

  test("a CR3 load of a root that does not reach the table leaves it out of sync", () => {
    const { guest, tables } = threads();
    const other = guest.space(1, 4);
    guest.store(tables.pt, 20, guest.data(20), userPage);
    guest.on(1);
    guest.load(other.root);
    guest.on(0);
    expect(guest.exits(() => guest.store(tables.pt, 21, guest.data(21), userPage))).toBe(0);
  });

  test("injecting a protection fault acts like INVLPG; a not-present fault does not", () => {
    const { guest, tables } = threads();
    guest.store(tables.pt, 0, guest.data(0), withoutWrite(userPage));
    guest.load(tables.root);
    guest.store(tables.pt, 0, guest.data(0), withoutWrite(userPage));
    // The guest's handler maps another frame and tries again, without a flush of its own.
    const fault = guest.cost(() => guest.write(0));
    expect(fault.guestFaultsReflected).toBe(1);
    guest.store(tables.pt, 0, guest.data(40), userPage);
    expect(guest.exits(() => guest.write(0))).toBe(1);
  });

  test("a root that is live on another vCPU can be flooded: it is zapped twice, and loaded anew", () => {
    const guest = new TestGuest(engine, { vcpus: 2 });
    const victim = guest.space(0, 8);
    const own = guest.space(1, 8);
    guest.on(1);
    guest.load(victim.root);
    pages(guest, 8);
    guest.on(0);
    guest.load(own.root);
    const flood = guest.cost(() => {
      for (let i = 0; i < 3; i++) guest.store(victim.root, 100 + i, 0x1f0, userLink);
    });
    expect([flood.shadowPagesFlooded, flood.shadowPagesZapped]).toEqual([1, 1]);
    const entry = guest.cost(() => guest.on(1));
    expect([entry.exits, entry.shadowPagesZapped, entry.shadowPagesAllocated]).toEqual([0, 1, 1]);
    // PML4 entry 1 was dropped with the rest; everything below is found again.
    const relink = guest.cost(() => guest.write(0));
    expect([relink.exits, relink.shadowPagesFound]).toEqual([1, 1]);
  });

  test("linking a table that exists syncs what is out of sync below it", () => {
    const { guest, tables } = threads();
    guest.store(tables.pt, 20, guest.data(20), userPage);
    guest.store(tables.root, 1, tables.pdpt, userLink);
    const relink = guest.cost(() => guest.write(1));
    expect([relink.exits, relink.shadowPagesSynced]).toEqual([1, 1]);
    expect(guest.exits(() => guest.store(tables.pt, 21, guest.data(21), userPage))).toBe(1);
  });

  test("a frame that becomes an upper table loses its shadow as an out-of-sync leaf table", () => {
    const { guest, tables } = threads();
    guest.store(tables.pt, 20, guest.data(20), userPage);
    // The leaf table serves as PDPT, its first page as PD, the next as PT.
    guest.set(tables.root, 2, tables.pt, userLink);
    guest.set(guest.data(0), 0, guest.data(1), userLink);
    guest.set(guest.data(1), 0, guest.data(2), userPage);
    const cost = guest.cost(() => guest.read(512 ** 3));
    expect(cost.shadowPagesZapped).toBe(1);
  });

  test("a dirty page is reported once, and costs its first writer one exit per round", () => {
    const { guest } = threads();
    guest.host({ kind: "dirty-log-on", ...allData });
    expect(guest.exits(() => [0, 3, 3, 0].forEach((page) => guest.write(page)))).toBe(2);
    expect(guest.host({ kind: "dirty-log-get" })).toEqual([guest.data(0), guest.data(3)]);
    expect(guest.exits(() => guest.write(3))).toBe(1);
    expect(guest.host({ kind: "dirty-log-get" })).toEqual([guest.data(3)]);
    guest.host({ kind: "dirty-log-off" });
    // What logging protected stays so until it is written.
    expect(guest.exits(() => [3, 3].forEach((page) => guest.write(page)))).toBe(1);
  });

  test("a large guest page on small host pages costs a fault per 8 pages, on a large one a single fault", () => {
    const exits = (["4k", "2m"] as const).map((backing) => {
      const guest = new TestGuest(engine, { backing });
      const tables = guest.largeSpace(0);
      guest.load(tables.root);
      return guest.exits(() => pages(guest, 512));
    });
    expect(exits).toEqual([64, 1]);
  });

  test("the first write to a clean large page replaces its read-only pieces", () => {
    const guest = new TestGuest(engine);
    const tables = guest.largeSpace(0, withoutDirty(userPage));
    guest.load(tables.root);
    expect(guest.exits(() => [0, 8, 16].forEach((page) => guest.read(page)))).toBe(3);
    expect(guest.exits(() => [0, 8, 16].forEach((page) => guest.write(page)))).toBe(3);
  });

  test("logging drops a large entry at the first write and maps one small page", () => {
    const guest = new TestGuest(engine, { backing: "2m" });
    const tables = guest.largeSpace(0);
    guest.load(tables.root);
    guest.write(0);
    guest.host({ kind: "dirty-log-on", ...allData });
    expect(guest.exits(() => [0, 1, 2].forEach((page) => guest.write(page)))).toBe(3);
    guest.host({ kind: "dirty-log-off" });
    expect(guest.exits(() => pages(guest, 512, 7))).toBe(1);
  });

  test("recycling takes the oldest pages that are nobody's root, used or not", () => {
    const guest = new TestGuest(engine, { shadowPagesMax: 64 });
    const spaces = Array.from({ length: 15 }, (_, s) => guest.space(s, 8));
    const visit = (s: number) => {
      guest.load(spaces[s]!.root);
      guest.write(0);
    };
    // 4 pages of the kernel and 4 for each space: before the fifteenth fewer than 5 are free.
    for (let s = 0; s < 14; s++) visit(s);
    const over = guest.cost(() => visit(14));
    expect(over.shadowPagesRecycled).toBe(21);
    // The kernel's tables were the oldest, so they were made again at once.
    expect(over.shadowPagesAllocated).toBe(4 + 3);
    expect(guest.cost(() => visit(13)).shadowPagesAllocated).toBe(0);
    expect(guest.cost(() => visit(0)).shadowPagesAllocated).toBeGreaterThan(0);
  });
});

test("6.12 leaves an entry alone whose frame and rights are unchanged, 6.1 makes it writable again", () => {
  const exits = kernels.map(([, engine]) => {
    const guest = new TestGuest(engine);
    const tables = guest.space(0, 8);
    guest.load(tables.root);
    pages(guest, 8);
    guest.host({ kind: "dirty-log-on", ...allData });
    guest.store(tables.pt, 20, guest.data(20), userPage);
    guest.load(tables.root);
    return guest.exits(() => guest.write(3));
  });
  expect(exits).toEqual([0, 1]);
});

test("Xen keeps three tables out of sync: storing into a fourth syncs the first", () => {
  const guest = new TestGuest(shadowLazyXen);
  const tables = guest.space(0, 8);
  for (let i = 1; i < 4; i++) {
    guest.set(tables.pd, i, tables.pt + i, userLink);
    guest.set(tables.pt + i, 0, guest.data(i), userPage);
  }
  guest.load(tables.root);
  pages(guest, 4 * 512, 512);
  const store = (i: number) => guest.store(tables.pt + i, 9, guest.data(50), userPage);
  expect(guest.cost(() => [0, 1, 2, 0, 1, 2].forEach(store)).shadowPagesSynced).toBe(0);
  expect(guest.cost(() => store(3)).shadowPagesSynced).toBe(1);
  // The sync has filled what the stores mapped, so the touch is free.
  expect(guest.exits(() => guest.write(9))).toBe(0);
});

test("the TDP MMU splits large entries when logging starts, its predecessor drops them at a write", () => {
  const exits = [kvmTdp, kvmTdpLegacy].map((engine) => {
    const guest = new TestGuest(engine, { backing: "2m" });
    const tables = guest.largeSpace(0);
    guest.load(tables.root);
    guest.write(0);
    guest.host({ kind: "dirty-log-on", ...allData });
    const logged = guest.exits(() => [0, 1, 2].forEach((page) => guest.write(page)));
    const reads = guest.exits(() => [5, 6].forEach((page) => guest.read(page)));
    return [logged, reads];
  });
  expect(exits).toEqual([
    [3, 0],
    [3, 2],
  ]);
});
