/**
 * What every 8-byte entry of guest memory held, and when.
 *
 * Silicon may go on using a value that a store has replaced until somebody invalidates it, so each store
 * leaves a record of the value it replaced. Time is logical: it advances with every event that matters, and
 * a value holds in [start, end). A and D bits belong to the record as the value's last moment had them: they
 * only rise while a value stands, so this says whether they were ever set.
 *
 * An entry that the host takes away with its page is neither there nor replaced. The guest did not change it, so
 * nobody is told: a hypervisor that shadows the table, as real KVM does, goes on with what it has until the guest
 * stores to the entry, whatever the guest flushes; silicon that walks the table itself reads zeros.
 */
import { isPresent } from "../../machine/formats/x86-entry.ts";

export interface Superseded {
  readonly low: number;
  readonly high: number;
  readonly start: number;
  readonly end: number;
}

/** A value and where it stands. */
export interface EntryValue {
  readonly gfn: number;
  readonly index: number;
  readonly low: number;
  readonly high: number;
}

interface Entry {
  /** When the value of now was stored. */
  start: number;
  readonly past: Superseded[];
  /** What it held when the host took the page away, if the guest has not stored to it since. */
  lost: Superseded | null;
}

const none: readonly Superseded[] = [];

export class EntryHistory {
  private readonly entries = new Map<number, Entry>();
  /** When a store of a whole page replaced all entries of a frame. */
  private readonly frameStart = new Map<number, number>();
  /** By frame, entries of which a shadow may not have heard: the host took them away, or somebody stored unseen. */
  private readonly unseen = new Map<number, Set<Entry>>();
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
  supersede(at: EntryValue): void {
    const entry = this.entryAt(at.gfn, at.index);
    this.seen(entry);
    this.replace(at, entry, this.time);
  }

  /** The same by a store that no hypervisor sees: its shadow may use the value until the guest stores there itself. */
  supersedeUnseen(at: EntryValue): void {
    const entry = this.entryAt(at.gfn, at.index);
    this.replace(at, entry, Infinity);
    this.unseenIn(at.gfn).add(entry);
  }

  /** All entries of the frame have new values now. */
  supersedeFrame(gfn: number): void {
    for (const entry of this.unseen.get(gfn) ?? []) this.seen(entry);
    this.unseen.delete(gfn);
    this.frameStart.set(gfn, this.time);
  }

  /** The host takes the page away in which this present value stands. */
  lose({ gfn, index, low, high }: EntryValue): void {
    const entry = this.entryAt(gfn, index);
    entry.lost = { low, high, start: this.startOf(gfn, index), end: Infinity };
    this.unseenIn(gfn).add(entry);
    entry.start = this.time;
  }

  /** The value that went with its page and may still be used as if it stood, or null. */
  lostAt(gfn: number, index: number): Superseded | null {
    return this.entries.get(gfn * 512 + index)?.lost ?? null;
  }

  startOf(gfn: number, index: number): number {
    const entry = this.entries.get(gfn * 512 + index)?.start ?? 0;
    return Math.max(entry, this.frameStart.get(gfn) ?? 0);
  }

  /** Present values that the entry held before, oldest first. */
  pastOf(gfn: number, index: number): readonly Superseded[] {
    return this.entries.get(gfn * 512 + index)?.past ?? none;
  }

  private entryAt(gfn: number, index: number): Entry {
    const key = gfn * 512 + index;
    let entry = this.entries.get(key);
    if (entry === undefined) {
      entry = { start: 0, past: [], lost: null };
      this.entries.set(key, entry);
    }
    return entry;
  }

  private unseenIn(gfn: number): Set<Entry> {
    let entries = this.unseen.get(gfn);
    if (entries === undefined) {
      entries = new Set();
      this.unseen.set(gfn, entries);
    }
    return entries;
  }

  private replace({ gfn, index, low, high }: EntryValue, entry: Entry, end: number): void {
    if (isPresent(low)) entry.past.push({ low, high, start: this.startOf(gfn, index), end });
    entry.start = this.time;
  }

  /** A store that everybody sees: what was good for a shadow until now may be cached still, as any replaced value. */
  private seen(entry: Entry): void {
    const { past, lost } = entry;
    for (const [i, value] of past.entries()) {
      if (value.end === Infinity) past[i] = { ...value, end: this.time };
    }
    if (lost !== null) past.push({ ...lost, end: this.time });
    entry.lost = null;
  }
}
