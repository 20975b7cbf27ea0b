/**
 * Is it worth shadowing anything? A guest is nested until its walks cost more than a trial does; then tables return, and if
 * the exits of that cost more than the walks did, everything is nested again and left alone for longer than before.
 *
 * Source: Gandhi, Hill, Swift, "Agile Paging" (ISCA 2016), section 3.4: processes start nested, and are shadowed if misses
 * cost much. The paper has no number; the rule is ours.
 */
import type { Ledger } from "../../machine/counters.ts";

export interface TrialPolicy {
  /** Guest accesses from one look at the nested tables to the next. */
  readonly intervalAccesses: number;
  /** What the rule takes an exit to cost, its handling included. */
  readonly exitCycles: number;
  /** And a reference of the second dimension. */
  readonly nestedReferenceCycles: number;
  /** Cycles of nested references in an interval below which nothing is tried; negative: tables return whatever it costs. */
  readonly worthCycles: number;
}

/** Intervals that are looked at before a trial: what a guest does as it begins says little of what it does later. */
const observed = 4;
/** Intervals of a trial before it is judged: tables are found to rest one by one. */
const graceFirst = 4;
/** Intervals in a row that have to cost more than before, without falling, for a trial to end. */
const worseMax = 2;
/** A shadow that is being filled costs less in each interval, by more than this factor. */
const falling = 0.9;
/** Intervals from the end of the first trial to the next; twice as many each time. */
const waitFirst = 8;
const waitMax = 64;

/** Of an interval, in cycles: the walks' second dimension, and with all exits, some of which are nobody's fault. */
interface Cost {
  readonly walks: number;
  readonly all: number;
}

export class Trial {
  /** May tables return to the shadow? */
  isOn: boolean;
  private readonly policy: TrialPolicy;
  private readonly isForced: boolean;
  private before = { nested: 0, exits: 0 };
  /** The last intervals in which all was nested. */
  private nested: readonly Cost[] = [];
  private grace = 0;
  private lastCycles = 0;
  private worse = 0;
  private wait = observed - 1;
  private waitNext = waitFirst;

  constructor(policy: TrialPolicy) {
    this.policy = policy;
    this.isForced = policy.worthCycles < 0;
    this.isOn = this.isForced;
  }

  /** Looks at what the vCPUs counted by now. True: the trial has failed, and all is to be nested. */
  endInterval(ledgers: readonly Readonly<Ledger>[]): boolean {
    const cost = this.spent(ledgers);
    if (this.isForced) return false;
    if (!this.isOn) {
      this.wait -= 1;
      this.nested = [...this.nested.slice(1 - observed), cost];
      this.isOn =
        this.wait < 0 && this.nested.every(({ walks }) => walks >= this.policy.worthCycles);
      this.grace = graceFirst;
      return false;
    }
    this.grace -= 1;
    const isDearer = this.nested.some(({ all }) => cost.all > all);
    const isWorse = this.grace < 0 && isDearer && cost.all > falling * this.lastCycles;
    this.worse = isWorse ? this.worse + 1 : 0;
    this.lastCycles = cost.all;
    if (this.worse < worseMax) return false;
    this.isOn = false;
    this.worse = 0;
    this.wait = this.waitNext;
    this.waitNext = Math.min(waitMax, 2 * this.waitNext);
    return true;
  }

  private spent(ledgers: readonly Readonly<Ledger>[]): Cost {
    const now = { nested: 0, exits: 0 };
    for (const { walkReferencesNested, exits } of ledgers) {
      now.nested += walkReferencesNested;
      now.exits += exits;
    }
    const { nested, exits } = this.before;
    this.before = now;
    const { nestedReferenceCycles, exitCycles } = this.policy;
    const walks = nestedReferenceCycles * (now.nested - nested);
    return { walks, all: walks + exitCycles * (now.exits - exits) };
  }
}
