/**
 * Syncs counted by hand: how many out-of-sync tables a CR3 load brings up to date, and in how many batches, each of
 * which interrupts the other vCPUs once.
 *
 * A batch ends with its sixteenth node, the root and the tables on the way among them. Below one page directory that
 * leaves 13 leaf tables.
 */
import { userLink, userPage } from "../../machine/formats/x86-entry.ts";
import { describe, expect, test } from "vitest";
import { shadowLazyKvm61, shadowLazyKvm612, shadowLazyXen } from "../shadow-lazy.ts";
import { TestGuest } from "./test-guest.ts";

const vcpus = 3;
const firstTable = 0x140;

/** A space of `counts.length` page directories with so many leaf tables each, each table used once. */
function spread(engine: typeof shadowLazyKvm612, counts: readonly number[]) {
  const guest = new TestGuest(engine, { vcpus });
  for (let id = 1; id < vcpus; id++) guest.on(id);
  guest.on(0);
  const { root, pdpt, pd } = guest.space(0, 0);
  const tables: number[] = [];
  const pages: number[] = [];
  counts.forEach((count, directory) => {
    const own = directory === 0 ? pd : 0x130 + directory;
    guest.set(pdpt, directory, own, userLink);
    for (let i = 0; i < count; i++) {
      const table = firstTable + tables.length;
      guest.set(own, i, table, userLink);
      guest.set(table, 0, guest.data(i), userPage);
      tables.push(table);
      pages.push((directory * 512 + i) * 512);
    }
  });
  guest.load(root);
  for (const page of pages) guest.write(page);
  const unsync = () => {
    for (const table of tables) guest.store(table, 20, guest.data(20), userPage);
  };
  return { guest, root, pdpt, pd, tables, pages, unsync };
}

describe.each([
  ["6.1", shadowLazyKvm61],
  ["6.12", shadowLazyKvm612],
])("kernel %s", (_name, engine) => {
  // Planted: batches of 15 and 17 nodes; a search that finds the first table of a directory only; pages protected
  // without a flush; notes that stay after a sync, which the second load would find.
  test.each([
    [[1], 1],
    [[13], 1],
    [[14], 2],
    [[26], 2],
    [[27], 3],
    [[40], 4],
    // Two directories count as nodes: 1 + 1 + 1 + 6 + 1 + 6 are 16.
    [[6, 6], 1],
    [[6, 7], 2],
    [[8, 8], 2],
    [[1, 1, 1, 1, 1, 1, 1], 1],
    [[1, 1, 1, 1, 1, 1, 1, 1], 2],
  ])("tables %j are synced by a CR3 load in %i batches", (counts, batches) => {
    const { guest, root, tables, unsync } = spread(engine, counts);
    const stores = guest.cost(unsync);
    expect(stores).toMatchObject({
      exits: tables.length,
      shadowPagesUnsynced: tables.length,
      shadowPagesUnsyncNow: tables.length,
    });
    const load = guest.cost(() => guest.load(root));
    expect(load).toMatchObject({
      exits: 1,
      shadowPagesSynced: tables.length,
      shadowPagesUnsyncNow: 0,
      remoteFlushes: batches,
      remoteInterrupts: batches * (vcpus - 1),
    });
    const again = guest.cost(() => guest.load(root));
    expect(again).toMatchObject({ exits: 1, shadowPagesSynced: 0, remoteFlushes: 0 });
    // All are protected again, so each store exits as the first ones did.
    expect(guest.cost(unsync)).toMatchObject({ exits: tables.length });
  });

  test("only what is out of sync is synced, wherever it is", () => {
    const { guest, root, tables } = spread(engine, [5, 5, 5]);
    for (const i of [1, 7, 14]) guest.store(tables[i]!, 9, guest.data(9), userPage);
    expect(guest.cost(() => guest.load(root))).toMatchObject({
      shadowPagesSynced: 3,
      remoteFlushes: 1,
    });
    for (const i of [0, 6, 13]) guest.store(tables[i]!, 9, guest.data(9), userPage);
    expect(guest.cost(() => guest.load(root)).shadowPagesSynced).toBe(3);
  });

  test("a table that two entries lead to is synced once", () => {
    const { guest, root, pd, tables, pages } = spread(engine, [2]);
    guest.store(pd, 5, tables[0]!, userLink);
    guest.write(5 * 512);
    guest.write(pages[1]!);
    guest.store(tables[0]!, 30, guest.data(30), userPage);
    expect(guest.cost(() => guest.load(root)).shadowPagesSynced).toBe(1);
    expect(guest.cost(() => guest.load(root)).shadowPagesSynced).toBe(0);
  });

  test("a table that is unlinked while out of sync is not synced, and is when it is linked again", () => {
    const { guest, root, pd, tables, pages, unsync } = spread(engine, [3]);
    unsync();
    guest.store(pd, 1, 0, 0);
    expect(guest.cost(() => guest.load(root)).shadowPagesSynced).toBe(2);
    guest.store(pd, 1, tables[1]!, userLink);
    const relink = guest.cost(() => guest.write(pages[1]!));
    expect([relink.exits, relink.shadowPagesFound]).toEqual([1, 1]);
    expect(guest.cost(() => guest.load(root)).shadowPagesSynced).toBe(1);
  });
});

test("Xen's vCPU holds three tables, and a fourth syncs the oldest, one flush each", () => {
  const { guest, tables, unsync } = spread(shadowLazyXen, [8]);
  const stores = guest.cost(unsync);
  expect(stores).toMatchObject({
    shadowPagesUnsynced: tables.length,
    shadowPagesSynced: tables.length - 3,
    shadowPagesUnsyncNow: 3,
    remoteFlushes: tables.length - 3,
    remoteInterrupts: (tables.length - 3) * (vcpus - 1),
  });
});
