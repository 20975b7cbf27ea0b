/**
 * Nested or shadowed: what the mode that is on costs by its counts, what the other one would, and when to change.
 *
 * Nested costs references of the second dimension; shadowing costs exits. Under nested tables faults do not exit, so some
 * intervals are sampled: in these they do. The other mode has to be cheaper twice in a row.
 */
import type { Ledger } from "../../machine/counters.ts";

/** What a choice is made by. */
export type Counts = Pick<Ledger, "walks" | "walkReferencesNested" | "exits">;

export interface ShspPolicy {
  /** Guest accesses from one look to the next. */
  readonly intervalAccesses: number;
  /** What the rule takes an exit to cost, its handling included. */
  readonly exitCycles: number;
  /** And a reference of the second dimension. */
  readonly nestedReferenceCycles: number;
  /** Exits under a shadow for each fault of the guest: the fault, its store, its flush. */
  readonly exitsPerFault: number;
  /** How many times cheaper the other mode has to be. */
  readonly gain: number;
  /** Nested intervals from one that is sampled to the next; twice as many each time that it finds shadowing worse. */
  readonly sampleEvery: number;
}

/** The longest that nothing is sampled, in intervals. */
const sampleEveryMax = 64;

export class Choice {
  mode: "nested" | "shadow" = "nested";
  isSampling = false;
  private readonly policy: ShspPolicy;
  private sampleEvery: number;
  private untilSample: number;
  private faults = 0;
  private otherExits = 0;
  /** Intervals in a row in which the other mode would have been cheaper. */
  private streak = 0;
  private hasJustChanged = false;
  private nestedPerWalk = 0;
  /** What the second dimension cost in the last nested interval. */
  private nestedBefore = 0;
  private before = { walks: 0, nested: 0, exits: 0 };

  constructor(policy: ShspPolicy) {
    this.policy = policy;
    this.sampleEvery = policy.sampleEvery;
    this.untilSample = 1;
  }

  /** A fault of the guest in a sampled interval. False: enough are known, and the next ones need not exit. */
  sawFault(): boolean {
    this.faults += 1;
    return this.faultCycles() < this.nestedBefore;
  }

  /** Exits in a sampled interval that shadowing would cause beside those of the guest's faults. Returns as `sawFault`. */
  sawExits(exits: number): boolean {
    this.otherExits += exits;
    return this.faultCycles() < this.nestedBefore;
  }

  /** What shadowing would have cost in a sampled interval. */
  private faultCycles(): number {
    const { exitsPerFault, exitCycles } = this.policy;
    return (this.faults * exitsPerFault + this.otherExits) * exitCycles;
  }

  /** It has not run for long: it is nested again, whatever that costs, and asked about as soon as it runs. */
  leaveShadow(): void {
    this.changeTo("nested");
  }

  /**
   * Looks at what the vCPUs counted by now; `mode` and `isSampling` are those of the next interval. `isDear`: what exited in a
   * sampled interval has said already that shadowing costs more.
   */
  endInterval(ledgers: readonly Readonly<Counts>[], isDear = false): void {
    const spent = this.spent(ledgers);
    // A change itself exits a lot, and says nothing of the guest.
    if (this.hasJustChanged) this.hasJustChanged = false;
    else if (this.mode === "nested") this.afterNested(spent, isDear);
    else this.afterShadow(spent);
    this.faults = 0;
    this.otherExits = 0;
  }

  private afterNested(
    { walks, nested }: { readonly walks: number; readonly nested: number },
    isDear: boolean,
  ): void {
    const { policy } = this;
    const cycles = nested * policy.nestedReferenceCycles;
    if (walks > 0) this.nestedPerWalk = nested / walks;
    if (this.isSampling) {
      const isCheaper = !isDear && this.faultCycles() * policy.gain < cycles;
      this.streak = isCheaper ? this.streak + 1 : 0;
      if (!isCheaper) this.waitLonger();
      if (this.streak === 2) this.changeTo("shadow");
    }
    this.nestedBefore = cycles;
    this.untilSample -= 1;
    this.isSampling = this.mode === "nested" && this.untilSample <= 0;
  }

  /** The other mode has been found worse: it is not asked about so soon again. */
  private waitLonger(): void {
    this.untilSample = this.sampleEvery;
    this.sampleEvery = Math.min(sampleEveryMax, 2 * this.sampleEvery);
  }

  private afterShadow({ walks, exits }: { readonly walks: number; readonly exits: number }): void {
    const { policy } = this;
    const nested = walks * this.nestedPerWalk * policy.nestedReferenceCycles;
    this.streak = nested * policy.gain < exits * policy.exitCycles ? this.streak + 1 : 0;
    if (this.streak < 2) return;
    this.changeTo("nested");
    this.waitLonger();
  }

  private changeTo(mode: "nested" | "shadow"): void {
    this.mode = mode;
    this.streak = 0;
    this.isSampling = false;
    this.hasJustChanged = true;
  }

  private spent(ledgers: readonly Readonly<Counts>[]) {
    const now = { walks: 0, nested: 0, exits: 0 };
    for (const { walks, walkReferencesNested, exits } of ledgers) {
      now.walks += walks;
      now.nested += walkReferencesNested;
      now.exits += exits;
    }
    const { walks, nested, exits } = this.before;
    this.before = now;
    return { walks: now.walks - walks, nested: now.nested - nested, exits: now.exits - exits };
  }
}
