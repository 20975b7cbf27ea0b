/**
 * Domains by what devices share: two that tell the IOMMU less as one become one, and a device that saves nothing in its domain
 * any more gets its own again.
 *
 * Buys: a page that several use has one entry, one pin, one place in the IOTLB and one invalidation. Pays: each member reaches
 * what the others map, a device's TLB is told of everything, and a change is a window in which requests are refused.
 *
 * What each pair would have submitted apart and together is counted (`./told-pairs.ts`): it depends on which pages go, in
 * which order, and on which devices have TLBs. A change must pay for itself before the next look.
 *
 * IO pages are guest frames, as without a virtual IOMMU: the same buffer is the same IO page for all.
 *
 * Source: the rule is ours; Linux's VFIO merges the groups of one container without looking at what they share.
 */
import { Gather, iommuMap, iommuUnmap, iommuUnmapFast } from "../linux/iommu/core.ts";
import type { IntelDomain, IntelIommu, IommuDevice } from "../linux/iommu/intel.ts";
import { type Party, ToldPairs } from "./told-pairs.ts";
import type { PinnedMemory } from "../linux/iommu/vfio-type1.ts";

/** In costs of a change: a merger must save more than this; who saves less is split off. Between them nothing changes. */
export interface MergingRule {
  readonly mergeAbove: number;
  readonly splitBelow: number;
}

/** There and back again; and the way back alone. */
export const usualRule: MergingRule = { mergeAbove: 2, splitBelow: 1 };

interface Member extends Party {
  readonly device: IommuDevice;
  /** IO pages that its driver has mapped, and how often. */
  readonly pages: Map<number, number>;
}

class SharedDomain {
  readonly members = new Set<Member>();
  readonly domain: IntelDomain;
  private readonly memory: PinnedMemory;
  /** By IO page: members that have it mapped. */
  private readonly users = new Map<number, number>();

  constructor(domain: IntelDomain, memory: PinnedMemory) {
    this.domain = domain;
    this.memory = memory;
  }

  add(pages: Iterable<number>): void {
    for (const page of pages) {
      const users = this.users.get(page) ?? 0;
      this.users.set(page, users + 1);
      if (users > 0) continue;
      const frame = this.memory.pin(page);
      iommuMap(this.domain, page, [{ frame, pages: 1 }], "read-write");
    }
  }

  /** What nobody has mapped any more goes, before this returns. */
  remove(pages: Iterable<number>): void {
    const gone = [...pages].filter((page) => this.leave(page)).sort((a, b) => a - b);
    for (let i = 0, length = 1; i < gone.length; i += length) {
      const start = gone[i] ?? 0;
      for (length = 1; gone[i + length] === start + length;) length += 1;
      iommuUnmap(this.domain, start, length);
    }
    for (const page of gone) this.memory.unpin(page);
  }

  private leave(page: number): boolean {
    const users = (this.users.get(page) ?? 0) - 1;
    if (users > 0) this.users.set(page, users);
    else this.users.delete(page);
    return users <= 0;
  }

  /** Nobody is in it: nothing needs to be invalidated. */
  dissolve(): void {
    const gather = new Gather(null);
    for (const page of this.users.keys()) {
      iommuUnmapFast(this.domain, page, 1, gather);
      this.memory.unpin(page);
    }
    this.domain.release(gather.tables);
    this.users.clear();
  }
}

export class DomainBalancer {
  merges = 0;
  splits = 0;
  private readonly iommu: IntelIommu;
  private readonly memory: PinnedMemory;
  private readonly members: readonly Member[];
  private readonly homes = new Map<Member, SharedDomain>();
  private readonly rule: MergingRule;
  private readonly told: ToldPairs;

  constructor(
    iommu: IntelIommu,
    memory: PinnedMemory,
    devices: readonly IommuDevice[],
    rule: MergingRule = usualRule,
  ) {
    this.rule = rule;
    this.iommu = iommu;
    this.memory = memory;
    this.members = devices.map((device) => ({ device, ats: device.ats, pages: new Map() }));
    this.told = new ToldPairs(this.members);
    for (const member of this.members) this.enter(member, this.newDomain());
  }

  /** Domains that there are. */
  get domains(): number {
    return new Set(this.homes.values()).size;
  }

  /** Are the devices of these numbers in one domain? */
  share(one: number, other: number): boolean {
    return this.homeOf(this.memberAt(one)) === this.homeOf(this.memberAt(other));
  }

  map(device: number, pages: readonly number[]): void {
    const member = this.memberAt(device);
    this.homeOf(member).add(pages.filter((page) => count(member.pages, page, 1) === 1));
  }

  unmap(device: number, pages: readonly number[]): void {
    const member = this.memberAt(device);
    const gone = pages.filter((page) => count(member.pages, page, -1) === 0);
    this.told.gone(member, gone);
    this.homeOf(member).remove(gone);
  }

  /** Looks at what was told since the last time: splits who saves too little, then merges who would save enough. */
  balance(): void {
    const { mergeAbove, splitBelow } = this.rule;
    for (const member of this.members) {
      const others = [...this.homeOf(member).members].filter((other) => other !== member);
      if (others.length === 0) continue;
      if (this.told.saved([member], others) >= splitBelow * changeOf([member])) continue;
      this.splits += 1;
      this.move(member, this.newDomain());
    }
    for (const [i, member] of this.members.entries()) {
      for (const other of this.members.slice(i + 1)) {
        const [into, from] = [this.homeOf(member), this.homeOf(other)];
        if (into === from) continue;
        const [stay, come] = [[...into.members], [...from.members]];
        if (this.told.saved(stay, come) <= mergeAbove * changeOf(come)) continue;
        this.merges += 1;
        for (const one of come) this.move(one, into);
      }
    }
    this.told.forget();
  }

  private move(member: Member, to: SharedDomain): void {
    const from = this.homeOf(member);
    // Before the device comes; and gone from where it was only after it has left.
    to.add(member.pages.keys());
    from.members.delete(member);
    from.domain.detach(member.device);
    to.members.add(member);
    to.domain.attach(member.device);
    this.homes.set(member, to);
    if (from.members.size === 0) from.dissolve();
    else from.remove(member.pages.keys());
  }

  private enter(member: Member, home: SharedDomain): void {
    home.members.add(member);
    home.domain.attach(member.device);
    this.homes.set(member, home);
  }

  private newDomain(): SharedDomain {
    return new SharedDomain(this.iommu.createDomain(), this.memory);
  }

  private memberAt(device: number): Member {
    const member = this.members[device];
    if (member === undefined) throw new Error(`bug: domains: no device ${device}`);
    return member;
  }

  private homeOf(member: Member): SharedDomain {
    const home = this.homes.get(member);
    if (home === undefined) throw new Error("bug: domains: a device without domain");
    return home;
  }
}

function count(pages: Map<number, number>, page: number, step: 1 | -1): number {
  const now = (pages.get(page) ?? 0) + step;
  if (now > 0) pages.set(page, now);
  else pages.delete(page);
  return now;
}

/** Submissions by which devices leave a domain: context entry, all of the domain, and the TLB of each that has one. */
const changeOf = (members: readonly Member[]) =>
  members.reduce((sum, { ats }) => sum + (ats ? 3 : 2), 0);
