/**
 * Domains that merge when buffers overlap and split when they do not: what is reached, what it costs, what it saves.
 */
import { describe, expect, test } from "vitest";
import { Prng } from "../../guest/prng.ts";
import { IntelIommu } from "../../linux/iommu/intel.ts";
import { fastMmu } from "../../machine/fast.ts";
import { DmaMachine } from "../../viommu/dma-machine.ts";
import { DomainBalancer } from "../../viommu/domain-balancer.ts";

const range = (start: number, pages: number) => Array.from({ length: pages }, (_, i) => start + i);

function host({ devices = 2, ats = false } = {}) {
  const machine = new DmaMachine({
    guestFrames: 4096,
    isBare: false,
    backing: "4k",
    preset: "vt-d",
    factory: fastMmu,
    devices,
    scalable: false,
    ats,
    seed: 1,
  });
  const iommu = new IntelIommu(machine.iommu, machine.hostTables);
  const attached = machine.devices.map(({ requestor: { source } }) => ({ source, ats }));
  const balancer = new DomainBalancer(iommu, machine.pages, attached);
  const access = (device: number, page: number) => {
    const one = machine.devices[device];
    if (one === undefined) throw new Error("bug: no device");
    return machine.access(one, page, "write");
  };
  /** Submissions and IOTLB misses of `body`. */
  const cost = (body: () => void) => {
    const read = () => {
      machine.iommu.collect();
      const { tailWrites: submissions, tlbMisses: misses } = machine.iommu.counts.ledger;
      return { submissions, misses };
    };
    const before = read();
    body();
    const after = read();
    return {
      submissions: after.submissions - before.submissions,
      misses: after.misses - before.misses,
    };
  };
  return { machine, balancer, access, cost };
}

test("overlapping buffers: one domain; buffers that part: two again", () => {
  const { machine, balancer, access } = host();
  balancer.map(0, range(1000, 40));
  balancer.map(1, range(1030, 20));
  balancer.balance();
  expect([balancer.share(0, 1), balancer.merges, balancer.domains]).toEqual([true, 1, 1]);
  expect(machine.pages.pinned).toBe(50);
  // The price: what only the other one has mapped.
  expect(access(1, 1000)).toBe(machine.pages.place(1000));
  // Five pages: too few to split for.
  balancer.unmap(1, range(1030, 5));
  balancer.balance();
  expect(balancer.share(0, 1)).toBe(true);
  balancer.unmap(1, range(1035, 5));
  balancer.map(1, range(2000, 200));
  balancer.balance();
  expect([balancer.share(0, 1), balancer.splits, balancer.domains]).toEqual([false, 1, 2]);
  expect(access(1, 1000)).toBeNull();
  expect(access(0, 2000)).toBeNull();
  expect(access(0, 1000)).toBe(machine.pages.place(1000));
  expect(access(1, 2000)).toBe(machine.pages.place(2000));
});

// Seen failing: TLBs in devices not counted; what others still use counted as gone; what is still mapped not counted, or twice.
describe("a merger is for what it saves", () => {
  test.each([
    [25, false, true],
    [50, false, true],
    [50, true, false],
    [75, true, true],
    [0, false, false],
    [0, true, false],
  ])("of 100 pages %i common, TLBs in devices %s: merged %s", (common, ats, isMerged) => {
    const { balancer } = host({ ats });
    balancer.map(0, range(1000, 100));
    balancer.map(1, range(1100 - common, 100));
    balancer.balance();
    expect(balancer.share(0, 1)).toBe(isMerged);
  });

  test("what comes and goes counts, and what only lies there does so once", () => {
    const { balancer } = host({ ats: true });
    // Much that is not common, and stays; a little that is, and is renewed.
    balancer.map(0, range(1000, 110));
    balancer.map(1, [...range(1100, 10), ...range(1300, 90)]);
    balancer.balance();
    expect(balancer.share(0, 1)).toBe(false);
    for (let round = 0; round < 60; round++) {
      for (const page of range(1100, 10)) {
        for (const device of [0, 1]) balancer.unmap(device, [page]);
        for (const device of [0, 1]) balancer.map(device, [page]);
      }
    }
    balancer.balance();
    expect(balancer.share(0, 1)).toBe(true);
  });
});

describe("when it pays", () => {
  const shared = range(1000, 48);
  /** Two devices that use the same 48 pages over and over, then unmap them. */
  function run(isMerged: boolean, ats: boolean) {
    const { balancer, access, cost } = host({ ats });
    for (const device of [0, 1]) balancer.map(device, shared);
    const change = cost(() => isMerged && balancer.balance());
    const use = cost(() => {
      for (let round = 0; round < 20; round++) {
        for (const page of shared) for (const device of [0, 1]) access(device, page);
      }
    });
    const away = cost(() => [0, 1].forEach((device) => balancer.unmap(device, shared)));
    return { change: change.submissions, misses: use.misses, unmap: away.submissions };
  }

  test("two devices over one buffer: half the entries, which fit the IOTLB, and half the invalidations", () => {
    const [apart, merged] = [run(false, false), run(true, false)];
    expect(apart.misses).toBe(2 * 48 * 20);
    expect(merged.misses).toBe(48);
    expect([apart.unmap, merged.unmap]).toEqual([2, 1]);
    // A context entry cleared, its domain flushed.
    expect(merged.change).toBe(2);
  });

  test("TLBs in the devices eat the gain of an unmapping: each is told either way", () => {
    const [apart, merged] = [run(false, true), run(true, true)];
    expect([apart.unmap, merged.unmap]).toEqual([4, 3]);
    expect(merged.change).toBe(3);
  });
});

// Seen failing: a merger that brings no pages along, a split that leaves its pages behind, a page that goes with its first user.
test("whatever is mapped, unmapped and balanced: own pages are reached, pages of other domains never", () => {
  const devices = 4;
  const { machine, balancer, access } = host({ devices });
  const prng = new Prng(5);
  const mapped = Array.from({ length: devices }, () => new Map<number, number>());
  let reached = 0;
  let refused = 0;
  for (let step = 0; step < 3000; step++) {
    const device = prng.below(devices);
    // By turns all use what is common, and each its own.
    const isParting = Math.floor(step / 500) % 2 === 1;
    const isOwn = isParting && prng.chance(50);
    const pages = range(1000 + 16 * (prng.below(8) + (isOwn ? 8 * (device + 1) : 0)), 16);
    const own = mapped[device] ?? new Map<number, number>();
    if (isParting === isOwn && prng.chance(50) && (own.get(pages[0] ?? 0) ?? 0) < 2) {
      for (const page of pages) own.set(page, (own.get(page) ?? 0) + 1);
      balancer.map(device, pages);
    } else if ((own.get(pages[0] ?? 0) ?? 0) > 0) {
      for (const page of pages) own.set(page, (own.get(page) ?? 1) - 1);
      balancer.unmap(device, pages);
    }
    if (prng.chance(10)) balancer.balance();
    for (let i = 0; i < 4; i++) {
      const page = 1000 + prng.below(16 * 40);
      const users = range(0, devices).filter((one) => balancer.share(device, one));
      const isMapped = users.some((one) => (mapped[one]?.get(page) ?? 0) > 0);
      expect(access(device, page)).toBe(isMapped ? machine.pages.place(page) : null);
      if (isMapped) reached += 1;
      else refused += 1;
    }
  }
  expect(Math.min(reached, refused)).toBeGreaterThan(1000);
  expect(Math.min(balancer.merges, balancer.splits)).toBeGreaterThan(5);
});
