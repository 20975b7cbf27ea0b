/**
 * What devices' unmappings would have told an IOMMU, in whatever domains the devices had been: counted as they happen.
 *
 * A page leaves a domain when its last user there gives it up. A run of pages that leave together is one submission, and one
 * more for each TLB in a device of the domain. What is still mapped counts once more, page by page: it will go too.
 */

/** A device as far as its domain is concerned. */
export interface Party {
  /** Has it a TLB of its own? */
  readonly ats: boolean;
  /** IO pages that its driver has mapped. */
  readonly pages: ReadonlyMap<number, number>;
}

/** Pages that a driver gave up at once, each with who still had it then. */
interface Gone {
  readonly party: Party;
  readonly pages: readonly { readonly page: number; readonly users: ReadonlySet<Party> }[];
}

export class ToldPairs {
  private readonly parties: readonly Party[];
  private events: Gone[] = [];

  constructor(parties: readonly Party[]) {
    this.parties = parties;
  }

  /** The driver of `party` has given these pages up, and no mapping of its own is left there. */
  gone(party: Party, pages: readonly number[]): void {
    const usersOf = (page: number) =>
      new Set(this.parties.filter((one) => one !== party && one.pages.has(page)));
    const sorted = [...pages].sort((a, b) => a - b);
    this.events.push({ party, pages: sorted.map((page) => ({ page, users: usersOf(page) })) });
  }

  /** Submissions that one domain for both groups saves over two; below 0 what it costs. */
  saved(one: readonly Party[], other: readonly Party[]): number {
    return this.toldBy(one) + this.toldBy(other) - this.toldBy([...one, ...other]);
  }

  private toldBy(group: readonly Party[]): number {
    let runs = new Set(group.flatMap(({ pages }) => [...pages.keys()])).size;
    for (const { party, pages } of this.events) {
      if (!group.includes(party)) continue;
      const leaving = pages.filter(({ users }) => !group.some((member) => users.has(member)));
      runs += leaving.filter(({ page }, i) => leaving[i - 1]?.page !== page - 1).length;
    }
    return runs * (1 + group.filter(({ ats }) => ats).length);
  }

  /** What comes next is counted anew. */
  forget(): void {
    this.events = [];
  }
}
