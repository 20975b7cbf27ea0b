/**
 * Two devices that share a part of their buffers, in domains of their own or in one: what each costs.
 *
 * Round after round both devices go over their buffers, and their drivers unmap and map them again, page by page, a shared one both
 * at once. What a device asks for while its domain changes is refused.
 *
 * Model: a device asks once in each such window. Bias: none in how many windows there are.
 */
import { IntelIommu } from "../../linux/iommu/intel.ts";
import { fastMmu } from "../../machine/fast.ts";
import { DmaMachine } from "../../viommu/dma-machine.ts";
import { DomainBalancer, type MergingRule, usualRule } from "../../viommu/domain-balancer.ts";

/** Never, always, or by the share of pages that both have. */
export const domainPlans = ["apart", "merged", "counted"] as const;
export type DomainPlan = (typeof domainPlans)[number];

export interface DomainOptions {
  readonly plan: DomainPlan;
  /** Pages of each device that are the other's too, in percent. */
  readonly sharedPercent: number;
  /** Have the devices TLBs of their own? */
  readonly ats: boolean;
}

export interface DomainRow extends DomainOptions {
  /** Requests of both devices, and those that missed the IOTLB. */
  readonly requests: number;
  readonly tlbMisses: number;
  /** Unmappings of a page by a driver, and what the IOMMU was told meanwhile. */
  readonly unmaps: number;
  readonly submissions: number;
  /** Changes of a device's domain, what they cost, and requests that they refused. */
  readonly moves: number;
  readonly moveSubmissions: number;
  readonly refused: number;
  /** Pages within a device's reach at the end that only the other has mapped. */
  readonly foreignPages: number;
}

const pagesEach = 48;
const firstPage = 1024;
const rounds = 12;
const passesEach = 2;

const rules: Readonly<Record<DomainPlan, MergingRule | null>> = {
  apart: null,
  merged: { mergeAbove: -Infinity, splitBelow: -Infinity },
  counted: usualRule,
};

const range = (start: number, pages: number) => Array.from({ length: pages }, (_, i) => start + i);

export function runDomains(options: DomainOptions): DomainRow {
  const { plan, sharedPercent, ats } = options;
  const machine = new DmaMachine({
    guestFrames: 4096,
    isBare: false,
    backing: "4k",
    preset: "vt-d",
    factory: fastMmu,
    devices: 2,
    scalable: false,
    ats,
    seed: 1,
  });
  const iommu = new IntelIommu(machine.iommu, machine.hostTables);
  const devices = machine.devices.map(({ requestor: { source } }) => ({ source, ats }));
  const rule = rules[plan];
  const balancer = new DomainBalancer(iommu, machine.pages, devices, rule ?? usualRule);
  const shared = Math.round((pagesEach * sharedPercent) / 100);
  const buffers = [range(firstPage, pagesEach), range(firstPage + pagesEach - shared, pagesEach)];
  const counts = { moves: 0, moveSubmissions: 0, refused: 0, submissions: 0, unmaps: 0 };
  const { ledger } = machine.iommu.counts;

  /** Windows are where a whole domain is invalidated: the context entry is gone by then. */
  const askInWindow = () => {
    for (const [i, device] of machine.devices.entries()) {
      if (machine.access(device, buffers[i]?.[0] ?? 0, "read") === null) counts.refused += 1;
    }
  };
  const balance = () => {
    const before = ledger.tailWrites;
    machine.iommu.onInvalidation = (what) => {
      if (what.kind === "iotlb" && what.scope === "domain") askInWindow();
    };
    balancer.balance();
    machine.iommu.onInvalidation = () => undefined;
    counts.moveSubmissions += ledger.tailWrites - before;
  };
  const renew = () => {
    const before = ledger.tailWrites;
    for (const page of new Set(buffers.flat())) {
      const users = [0, 1].filter((device) => buffers[device]?.includes(page) === true);
      for (const device of users) balancer.unmap(device, [page]);
      for (const device of users) balancer.map(device, [page]);
      counts.unmaps += users.length;
    }
    counts.submissions += ledger.tailWrites - before;
  };

  for (const [device, pages] of buffers.entries()) balancer.map(device, pages);
  for (let round = 0; round < rounds; round++) {
    if (rule !== null) balance();
    use(machine, buffers);
    renew();
  }
  counts.moves = balancer.merges + balancer.splits;
  machine.iommu.collect();
  const isOne = balancer.share(0, 1);
  return {
    ...options,
    ...counts,
    requests: ledger.requests,
    tlbMisses: ledger.tlbMisses,
    foreignPages: isOne ? 2 * (pagesEach - shared) : 0,
  };
}

function use(machine: DmaMachine, buffers: readonly (readonly number[])[]): void {
  for (let pass = 0; pass < passesEach; pass++) {
    for (const [i, device] of machine.devices.entries()) {
      for (const page of buffers[i] ?? []) machine.access(device, page, "write");
    }
  }
}
