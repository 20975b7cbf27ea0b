/**
 * Which guest tables agile paging leaves to silicon, and how it finds out that it need not.
 *
 * A nested table is watched: stores to it are forbidden, and the first one exits. One that was watched for an interval and
 * had no store may be shadowed. One that had is watched again after one interval, then two, four, and so on.
 *
 * Source: Gandhi, Hill, Swift, "Agile Paging: Exceeding the Best of Nested and Shadow Paging" (ISCA 2016), section 3.4.
 */
import type { Gfn } from "../../machine/address.ts";
import { TableRegions } from "../shadow/table-regions.ts";
import type { TrialPolicy } from "./trial.ts";

export interface AgilePolicy extends TrialPolicy {
  /** Stores to a shadowed table within an interval after which it is nested, and all below it. */
  readonly storesMax: number;
  /**
   * Which tables are shadowed at the end of an interval: all, or those that had no store in it. The paper asks the D bits
   * of the host's entries; Intel's silicon sets these whenever it walks a table, so they are watched instead.
   */
  readonly returns: "all" | "those without stores";
  /** How an address space begins that was never loaded before. */
  readonly begins: "nested" | "shadowed";
  /** Pairs of a guest's root and what is loaded for it that silicon keeps: their CR3 writes do not exit. */
  readonly knownRoots: number;
}

interface Nested {
  /** Intervals before it is watched. */
  wait: number;
}

/** The longest that a table is left alone, in intervals. */
const waitMax = 64;

export class Modes {
  readonly policy: AgilePolicy;
  private readonly nested = new Map<Gfn, Nested>();
  /** Intervals that a table is left alone the next time, where it had stores before. */
  private readonly patience = new Map<Gfn, number>();
  private readonly stores = new Map<Gfn, number>();
  private readonly watched: TableRegions;

  constructor(policy: AgilePolicy, frames: number) {
    this.policy = policy;
    this.watched = new TableRegions(frames);
  }

  isNested(gfn: Gfn): boolean {
    return this.nested.has(gfn);
  }

  /** Do stores to the nested table at `gfn` exit, so that the first one is seen? */
  isWatched(gfn: Gfn): boolean {
    return this.watched.isTable(gfn);
  }

  /** Is a watched table in the page of `level` around `gfn`? */
  holds(gfn: Gfn, level: number): boolean {
    return this.watched.holds(gfn, level);
  }

  /** All nested tables that are known one by one. */
  list(): Gfn[] {
    return [...this.nested.keys()];
  }

  /** A store to a shadowed table has exited; true when it is one too many. */
  countStore(gfn: Gfn): boolean {
    const stores = (this.stores.get(gfn) ?? 0) + 1;
    this.stores.set(gfn, stores);
    if (stores < this.policy.storesMax) return false;
    this.losePatience(gfn);
    return true;
  }

  /** An interval is over: stores are counted anew. */
  forgetStores(): void {
    this.stores.clear();
  }

  setNested(gfn: Gfn): void {
    if (this.nested.has(gfn)) return;
    this.nested.set(gfn, { wait: this.patience.get(gfn) ?? 0 });
  }

  /** It had stores again: it is left alone for twice as long. */
  private losePatience(gfn: Gfn): number {
    const wait = this.patience.get(gfn) ?? 1;
    this.patience.set(gfn, Math.min(waitMax, 2 * wait));
    return wait;
  }

  setShadowed(gfn: Gfn): void {
    if (this.isWatched(gfn)) this.watched.remove(gfn);
    this.nested.delete(gfn);
  }

  /** Watches the table from now on, if it is due; false if it goes on unwatched, or was watched before. */
  watch(gfn: Gfn): boolean {
    const table = this.nested.get(gfn);
    if (table === undefined || this.isWatched(gfn)) return false;
    table.wait -= 1;
    if (table.wait >= 0) return false;
    this.watched.add(gfn);
    return true;
  }

  /** Nothing is watched any more. */
  unwatchAll(): Gfn[] {
    const watched = this.list().filter((gfn) => this.isWatched(gfn));
    for (const gfn of watched) this.watched.remove(gfn);
    return watched;
  }

  /** A store to a watched table, if it is one. */
  written(gfn: Gfn): void {
    const table = this.nested.get(gfn);
    if (table === undefined || !this.isWatched(gfn)) return;
    this.watched.remove(gfn);
    table.wait = this.losePatience(gfn);
  }
}
