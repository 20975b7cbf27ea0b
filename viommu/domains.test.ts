/**
 * Domains: a device that changes its own, several in one, and what forgetting an invalidation lets through.
 */
import { describe, expect, test } from "vitest";
import { iommuMap, iommuUnmap } from "../linux/iommu/core.ts";
import { IntelIommu } from "../linux/iommu/intel.ts";
import { readRoot, writeContext } from "../machine/iommu/context-tables.ts";
import { DmaMachine } from "./dma-machine.ts";
import { fastMmu } from "../machine/fast.ts";

const page = 1000;

function host(ats = false) {
  const machine = new DmaMachine({
    guestFrames: 4096,
    isBare: true,
    backing: "4k",
    preset: "vt-d",
    factory: fastMmu,
    devices: 2,
    scalable: false,
    ats,
    seed: 1,
  });
  const iommu = new IntelIommu(machine.iommu, machine.hostTables);
  const domain = (frame: number) => {
    const one = iommu.createDomain();
    iommuMap(one, page, [{ frame, pages: 1 }], "read-write");
    return one;
  };
  const [first, second] = machine.devices;
  if (first === undefined || second === undefined) throw new Error("bug: two devices");
  const attached = (device: typeof first) => ({ source: device.requestor.source, ats });
  const submissions = (body: () => void) => {
    const before = machine.iommu.counts.ledger.tailWrites;
    body();
    return machine.iommu.counts.ledger.tailWrites - before;
  };
  return { machine, iommu, domain, first, second, attached, submissions };
}

describe("a device changes its domain", () => {
  test("what it reaches is the old one's, nothing, the new one's; two submissions without caching mode", () => {
    const { machine, domain, first, attached, submissions } = host();
    const [one, other] = [domain(2001), domain(2002)];
    one.attach(attached(first));
    const reached = [machine.access(first, page, "write")];
    const cost = submissions(() => {
      one.detach(attached(first));
      // A window: no replacement of a context entry is one step of the driver's.
      reached.push(machine.access(first, page, "write"));
      other.attach(attached(first));
    });
    reached.push(machine.access(first, page, "write"));
    expect(reached).toEqual([2001, null, 2002]);
    expect(cost).toBe(2);
    expect(machine.iommu.faults).toMatchObject([{ cause: "no-context" }]);
  });

  test("with the context entry changed and nothing invalidated, it stays in the old one", () => {
    const { machine, iommu, domain, first, attached } = host();
    const [one, other] = [domain(2001), domain(2002)];
    one.attach(attached(first));
    machine.access(first, page, "write");
    const { source } = first.requestor;
    const root = one.table.root;
    expect(root).not.toBe(other.table.root);
    // As the driver, but silent.
    const table = readRoot(machine.hostTables, iommu.root, source);
    if (table === null) throw new Error("bug: no context table");
    const entry = {
      type: "translate",
      table: other.table.root,
      levels: 4,
      domain: other.id,
    } as const;
    writeContext(machine.hostTables, table, source, entry);
    expect(machine.access(first, page, "write")).toBe(2001);
    iommu.submitter.submit({ kind: "context", scope: "device", domain: one.id, source });
    expect(machine.access(first, page, "write")).toBe(2002);
  });

  test("a device with a TLB of its own forgets too when it leaves", () => {
    const { machine, domain, first, attached } = host(true);
    const one = domain(2001);
    one.attach(attached(first));
    expect(machine.access(first, page, "write")).toBe(2001);
    one.detach(attached(first));
    expect(machine.access(first, page, "write")).toBeNull();
  });
});

describe("two devices in one domain", () => {
  test("share its table and its IOTLB entries, and one invalidation serves both", () => {
    const { machine, domain, first, second, attached, submissions } = host();
    const merged = domain(2001);
    merged.attach(attached(first));
    merged.attach(attached(second));
    machine.access(first, page, "write");
    expect(machine.access(second, page, "write")).toBe(2001);
    machine.iommu.collect();
    expect(machine.iommu.counts.ledger.tlbMisses).toBe(1);
    expect(submissions(() => iommuUnmap(merged, page, 1))).toBe(1);
    for (const device of [first, second]) expect(machine.access(device, page, "read")).toBeNull();
  });

  test("apart, each has a table, an entry and an invalidation of its own", () => {
    const { machine, domain, first, second, attached, submissions } = host();
    const domains = [domain(2001), domain(2001)];
    domains[0]?.attach(attached(first));
    domains[1]?.attach(attached(second));
    for (const device of [first, second]) machine.access(device, page, "write");
    machine.iommu.collect();
    expect(machine.iommu.counts.ledger.tlbMisses).toBe(2);
    expect(submissions(() => domains.forEach((one) => iommuUnmap(one, page, 1)))).toBe(2);
  });

  test("a TLB in each costs an invalidation each: the price of merging", () => {
    const { domain, first, second, attached, submissions } = host(true);
    const merged = domain(2001);
    merged.attach(attached(first));
    merged.attach(attached(second));
    expect(submissions(() => iommuUnmap(merged, page, 1))).toBe(3);
  });

  test("one that is split off reaches no more of what the other maps", () => {
    const { machine, domain, first, second, attached } = host();
    const merged = domain(2001);
    merged.attach(attached(first));
    merged.attach(attached(second));
    machine.access(second, page, "write");
    const own = domain(2002);
    merged.detach(attached(second));
    own.attach(attached(second));
    expect(machine.access(second, page, "write")).toBe(2002);
    expect(machine.access(first, page, "write")).toBe(2001);
    iommuMap(merged, page + 1, [{ frame: 2003, pages: 1 }], "read-write");
    expect(machine.access(second, page + 1, "read")).toBeNull();
  });
});
