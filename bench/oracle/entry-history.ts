/**
 * What every 8-byte entry of guest memory held, and when.
 *
 * Silicon may go on using a value that a store has replaced until somebody invalidates it, so each store
 * leaves a record of the value it replaced. Time is logical: it advances with every event that matters, and
 * a value holds in [start, end). A and D bits belong to the record as the value's last moment had them: they
 * only rise while a value stands, so this says whether they were ever set.
 */
import { P } from "../../machine/entry.ts";

export interface Superseded {
  readonly low: number;
  readonly high: number;
  readonly start: number;
  readonly end: number;
}

interface Entry {
  /** When the value of now was stored. */
  start: number;
  readonly past: Superseded[];
}

const none: readonly Superseded[] = [];

export class EntryHistory {
  private readonly entries = new Map<number, Entry>();
  /** When a store of a whole page replaced all entries of a frame. */
  private readonly frameStart = new Map<number, number>();
  private time = 0;

  get now(): number {
    return this.time;
  }

  /** An event happened: what comes after it is later than what came before. */
  tick(): number {
    this.time += 1;
    return this.time;
  }

  /** A store replaces this value now. Only present values are kept: the others are never cached. */
  supersede(at: { gfn: number; index: number; low: number; high: number }): void {
    const key = at.gfn * 512 + at.index;
    let entry = this.entries.get(key);
    if (entry === undefined) {
      entry = { start: 0, past: [] };
      this.entries.set(key, entry);
    }
    if ((at.low & P) !== 0) {
      const start = this.startOf(at.gfn, at.index);
      entry.past.push({ low: at.low, high: at.high, start, end: this.time });
    }
    entry.start = this.time;
  }

  /** All entries of the frame have new values now. */
  supersedeFrame(gfn: number): void {
    this.frameStart.set(gfn, this.time);
  }

  startOf(gfn: number, index: number): number {
    const entry = this.entries.get(gfn * 512 + index)?.start ?? 0;
    return Math.max(entry, this.frameStart.get(gfn) ?? 0);
  }

  /** Present values that the entry held before, oldest first. */
  pastOf(gfn: number, index: number): readonly Superseded[] {
    return this.entries.get(gfn * 512 + index)?.past ?? none;
  }
}
