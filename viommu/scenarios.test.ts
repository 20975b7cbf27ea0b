/**
 * What shadow tables for devices are described to do, each as a thing that happens and is checked; the rest of the list is in
 * the tests of its parts (docs/devices.md says where).
 */
import { describe, expect, test } from "vitest";
import { marksOf, userLink, userPage, withoutMarks } from "../machine/formats/x86-entry.ts";
import { SL_R, SL_W } from "../machine/formats/second-level.ts";
import { iommuMap } from "../linux/iommu/core.ts";
import { IntelIommu } from "../linux/iommu/intel.ts";
import { IoTable } from "../linux/iommu/io-table.ts";
import { emulatedCapabilities } from "./dma-machine.ts";
import { EmulatedVtd } from "./emulated-vtd.ts";
import { hostSide } from "./host-domain.ts";
import { ShadowedDevice } from "./shadowed-device.ts";
import { scatteredFrames, testMachine } from "./test-machine.ts";

/** A guest's driver on an emulated IOMMU whose tables are shadowed: the parts, for what no scheme's driver does. */
function shadowed() {
  const { machine, device } = testMachine("pinned");
  const host = hostSide(machine);
  const vtd = new EmulatedVtd(machine.guest, { ...emulatedCapabilities, cachingMode: true });
  const [user] = host.users;
  if (user === undefined) throw new Error("bug: no device");
  const { source } = device.requestor;
  // Between the two calls of a replacement the device asks.
  const during: (number | null)[] = [];
  const asking = {
    map: (range: Parameters<typeof user.map>[0]) => user.map(range),
    unmap(page: number, pages: number) {
      user.unmap(page, pages);
      if (watched !== null) during.push(machine.access(device, watched, "read"));
    },
  };
  let watched: number | null = null;
  const options = { source, memory: machine.guest, guestFrames: machine.pages.frames };
  const shadow = new ShadowedDevice({ ...options, user: asking });
  vtd.addDevice(shadow);
  const iommu = new IntelIommu(vtd, machine.guest);
  const domain = iommu.createDomain();
  domain.attach({ source, ats: false });
  const watch = (page: number | null) => (watched = page);
  return { machine, device, domain, shadow, during, watch, iommu };
}

test("mirroring: the device's tables say what the guest's say, frames translated", () => {
  const { machine, device, domain } = shadowed();
  iommuMap(domain, 100, scatteredFrames(20), "read-write");
  for (let i = 0; i < 20; i++) {
    const gfn = domain.translate(100 + i);
    expect(machine.access(device, 100 + i, "write")).toBe(machine.pages.place(gfn ?? -1));
  }
});

test("separate views: a page that the guest has never given to the device is not in the device's view", () => {
  const { machine, device, domain } = shadowed();
  iommuMap(domain, 100, [{ frame: 4096, pages: 1 }], "read-write");
  // The guest's own addresses, and the page beside.
  for (const page of [4096, 101, 99]) expect(machine.access(device, page, "read")).toBeNull();
});

describe("a leaf that the guest changes in place", () => {
  test("is taken away and made again: a device that asks in between faults", () => {
    const { machine, device, domain, shadow, during, watch, iommu } = shadowed();
    iommuMap(domain, 100, [{ frame: 4096, pages: 1 }], "read-write");
    machine.access(device, 100, "read");
    watch(100);
    // No Linux does this: it unmaps first.
    iommuMap(domain, 100, [{ frame: 4097, pages: 1 }], "read-write");
    expect(iommu.port.capabilities.cachingMode).toBe(true);
    expect(shadow.counts.replaced).toBe(1);
    expect(during).toEqual([null]);
    expect(machine.access(device, 100, "read")).toBe(machine.pages.place(4097));
  });

  test("and one that it has not changed is left alone", () => {
    const { domain, shadow, during, watch } = shadowed();
    iommuMap(domain, 100, [{ frame: 4096, pages: 4 }], "read-write");
    watch(100);
    const { calls } = shadow;
    domain.syncMap(100, 4);
    expect(shadow.counts).toMatchObject({ replaced: 0, skippedMapped: 4 });
    expect(shadow.calls).toBe(calls);
    expect(during).toEqual([]);
  });
});

test("large pages of the guest on small ones of the host: one call, 512 leaves, and none is missing", () => {
  const { machine, device, domain, shadow } = shadowed();
  const before = shadow.calls;
  const submissions = machine.iommu.counts.ledger.tailWrites;
  iommuMap(domain, 512, [{ frame: 4096, pages: 512 }], "read-write");
  expect(shadow.counts.mapped[2]).toBe(1);
  expect(shadow.calls - before).toBe(1);
  expect(machine.iommu.counts.ledger.tailWrites).toBe(submissions);
  const pages = Array.from({ length: 512 }, (_, i) => 512 + i);
  const reached = pages.map((page) => machine.access(device, page, "write"));
  expect(reached).toEqual(pages.map((page) => machine.pages.place(page - 512 + 4096)));
});

test("hidden pages: gone for the guest's driver, and still where a device in flight can write", () => {
  const { machine, api, device } = testMachine("optimistic");
  const segments = api.map(scatteredFrames(1), "read-write");
  const page = segments[0]?.page ?? 0;
  api.unmap(segments);
  // Pinned and mapped, so nothing else has come there.
  expect(machine.access(device, page, "write")).toBe(machine.pages.place(4096));
  expect(machine.pages.isPinned(4096)).toBe(true);
  machine.clock.advance(10_000);
  expect(machine.access(device, page, "write")).toBeNull();
  expect(machine.pages.isPinned(4096)).toBe(false);
});

test("accessed and dirty flags: silicon sets them in the guest's first-level tables, through the second level", () => {
  const { machine, device, api } = testMachine("nested");
  const page = api.map([{ frame: 4096, pages: 1 }], "read-write")[0]?.page ?? 0;
  // Linux presets them; a guest that does not sees what the device does.
  const leaf = leafOf(machine.guest, page);
  const low = machine.guest.readLow(leaf.frame, leaf.index);
  const clear = () =>
    machine.guest.write(
      leaf.frame,
      leaf.index,
      withoutMarks(low),
      machine.guest.readHigh(leaf.frame, leaf.index),
    );
  const flags = () => marksOf(machine.guest.readLow(leaf.frame, leaf.index));
  clear();
  machine.access(device, page, "read");
  expect(flags()).toBe(marksOf(userLink));
  machine.access(device, page, "write");
  expect(flags()).toBe(marksOf(userPage));

  function leafOf(guest: typeof machine.guest, of: number) {
    const index = of % 512;
    // The only table whose entry there names the frame.
    for (let frame = 1; frame < 1024; frame++) {
      const isLeaf = guest.readLow(frame, index) >>> 12 === 4096;
      if (isLeaf && guest.readHigh(frame, index) === 0) return { frame, index };
    }
    throw new Error("bug: no leaf");
  }
});

test("a table made for hardware with small pages only has 512 leaves where the guest has one", () => {
  const { machine } = testMachine("pinned");
  const counts = ([[], [2, 3]] as const).map((largeLevels) => {
    const shape = { levels: 4, largeLevels, coherent: true, format: "second-level" } as const;
    const table = new IoTable(machine.hostTables, shape);
    table.map({ page: 512, frame: 4096, pages: 512, rights: "read-write" }, () => undefined);
    return table.counts.stores;
  });
  // Two links more to reach the leaf table.
  expect(counts).toEqual([512 + 3, 1 + 2]);
});

test("self-mapping: a root that is its own entry makes every entry one load away, and hands the tables to the device", () => {
  const { machine, device } = testMachine("pinned");
  const iommu = new IntelIommu(machine.iommu, machine.hostTables);
  const domain = iommu.createDomain();
  iommuMap(domain, 1000, [{ frame: 4096, pages: 1 }], "read-write");
  const { root } = domain.table;
  const self = 511;
  const rights = SL_R | SL_W;
  machine.hostTables.write(root, self, (root << 12) | rights, root >>> 20);
  domain.attach({ source: device.requestor.source, ats: false });
  // Below the entry of the root that names the root, a walk ends one level early: at the table that has the page's leaf.
  const place = self * 512 ** 3 + Math.floor(1000 / 512);
  const leafTable = machine.access(device, place, "read");
  expect(machine.hostTables.readLow(leafTable ?? -1, 1000 % 512) & rights).toBe(rights);
  // Which is why no driver of an IOMMU does it: the device could write its own entries.
  expect(machine.access(device, place, "write")).toBe(leafTable);
  machine.hostTables.write(root, self, 0, 0);
  domain.flushAll();
  expect(machine.access(device, place, "write")).toBeNull();
  expect(machine.access(device, 1000, "write")).toBe(4096);
});
