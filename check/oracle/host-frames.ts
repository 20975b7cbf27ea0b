/**
 * Where each guest frame must lie, and which version of data it must hold.
 *
 * The host map is the placement, a plain function. A reclaimed frame leaves it: the host may put the page
 * anywhere next, so the first access afterwards names the new frame, which must not belong to another page,
 * and from then on it is fixed again.
 *
 * The host says when it moves a page (`moved`): to a frame of its own, or to one that it shares. It is believed
 * only if the contents are the same there. A page that it swaps out lies in no frame; what it held is kept here.
 *
 * Versions: a checked store advances the stamp of the frame that it reached (`PhysicalMemory.stamps`) and of
 * the page that it should have reached (here). A copy or a new frame that loses a write shows in a later read.
 */
import type { Gfn, Pfn } from "../../machine/address.ts";
import { withoutMarks } from "../../machine/formats/x86-entry.ts";
import { type FrameContents, type PhysicalMemory, wordsPerFrame } from "../../machine/memory.ts";
import type { Placement } from "../../machine/placement.ts";
import { FrameClaims } from "./frame-claims.ts";

export interface FramesOptions {
  readonly guestFrames: number;
  readonly placement: Placement;
  /** The first store makes the version after this one. */
  readonly versionsFrom: number;
}

/** A page-table entry as it lies in memory. */
interface Entry {
  readonly low: number;
  readonly high: number;
}

const nothing: Entry = { low: 0, high: 0 };

export class HostFrames {
  /** pfn by gfn; -1 when the host has taken the frame away, for good or to swap. */
  readonly pfnOf: Int32Array;
  private readonly gfnOf: Int32Array;
  private readonly versions: Int32Array;
  private readonly memory: PhysicalMemory;
  private readonly claims: FrameClaims;
  /** Pages of this guest in frames that hold several of them. */
  private readonly together = new Map<Pfn, Set<number>>();
  /** What pages held that are swapped out. */
  private readonly away = new Map<number, FrameContents>();
  /** Pages without a memslot, and the frame that each has all the same, or -1. */
  private readonly holes = new Map<number, number>();
  private lastVersion: number;

  constructor(memory: PhysicalMemory, { guestFrames, placement, versionsFrom }: FramesOptions) {
    this.memory = memory;
    this.claims = FrameClaims.of(memory);
    this.lastVersion = versionsFrom;
    this.pfnOf = new Int32Array(guestFrames);
    this.versions = new Int32Array(guestFrames);
    this.gfnOf = new Int32Array(memory.frames).fill(-1);
    for (let gfn = 0; gfn < guestFrames; gfn++) {
      const pfn = placement(gfn as Gfn);
      this.pfnOf[gfn] = pfn;
      this.gfnOf[pfn] = gfn;
      this.claims.add(pfn);
      this.versions[gfn] = memory.stamps[pfn]!;
    }
  }

  /** Is there no memslot for the page? It keeps its frame and its data, and nobody may reach it. */
  isHole(gfn: number): boolean {
    return this.holes.has(gfn);
  }

  /** The host exchanges what lies behind two pages; both have a memslot then. */
  exchange(one: number, other: number): void {
    this.show(one);
    this.show(other);
    const [first, second] = [one, other].map((gfn) => this.take(gfn));
    this.put(one, second!);
    this.put(other, first!);
  }

  /** The page's memslot goes. */
  hide(gfn: number): void {
    if (this.holes.has(gfn)) return;
    this.holes.set(gfn, this.pfnOf[gfn]!);
    this.pfnOf[gfn] = -1;
  }

  /** The page's memslot comes back. */
  show(gfn: number): void {
    const pfn = this.holes.get(gfn);
    if (pfn === undefined) return;
    this.holes.delete(gfn);
    this.pfnOf[gfn] = pfn;
  }

  /** The guest frame that lies in `pfn`, or -1. */
  owner(pfn: Pfn): number {
    return this.gfnOf[pfn] ?? -1;
  }

  /** May `gfn` lie in `pfn`? Fixes a reclaimed page to the frame where it turns up. */
  isAt(gfn: number, pfn: Pfn): boolean {
    if (this.pfnOf[gfn] === pfn) return true;
    if (
      this.pfnOf[gfn] !== -1 ||
      this.isAway(gfn) ||
      this.isHole(gfn) ||
      this.claims.count(pfn) !== 0
    )
      return false;
    this.enter(gfn, pfn);
    return true;
  }

  /** Is the page swapped out? */
  isAway(gfn: number): boolean {
    return this.away.has(gfn);
  }

  /** Does the page hold bytes, wherever it is? */
  hasBytes(gfn: number): boolean {
    const pfn = (this.pfnOf[gfn] ?? -1) as Pfn;
    return pfn < 0 ? (this.away.get(gfn)?.words ?? null) !== null : this.memory.hasBytes(pfn);
  }

  /** An entry of the page as it is now: zeros where no memslot is, and where the host has taken the page away. */
  entry(gfn: number, index: number): Entry {
    const pfn = (this.pfnOf[gfn] ?? -1) as Pfn;
    if (pfn >= 0) {
      const low = this.memory.readLow(pfn, index);
      return { low, high: this.memory.readHigh(pfn, index) };
    }
    const words = this.away.get(gfn)?.words ?? null;
    if (words === null || this.isHole(gfn)) return nothing;
    return { low: words[index * 2]!, high: words[index * 2 + 1]! };
  }

  /** The host is about to swap the page out. */
  swapOut(gfn: number): void {
    if (this.isHole(gfn)) return this.behindHole(gfn, () => this.swapOut(gfn));
    const pfn = (this.pfnOf[gfn] ?? -1) as Pfn;
    if (pfn < 0) return;
    this.away.set(gfn, this.memory.contentsOf(pfn));
    this.leave(gfn, pfn);
  }

  /** The host moved the page; false when the frame does not hold what the page held. */
  move(gfn: number, to: Pfn): boolean {
    if (this.isHole(gfn)) return this.behindHole(gfn, () => this.move(gfn, to));
    const from = (this.pfnOf[gfn] ?? -1) as Pfn;
    if (this.memory.stamps[to] !== this.versions[gfn]) return false;
    if (from === to) return true;
    if (from >= 0) {
      // Whoever stays in the old frame may have written it meanwhile; then there is nothing to compare.
      const isOld = this.memory.stamps[from] === this.versions[gfn];
      if (isOld && !this.holdsEntries(gfn, to)) return false;
      this.leave(gfn, from);
    } else if (this.isAway(gfn)) {
      if (!this.holdsEntries(gfn, to)) return false;
      this.away.delete(gfn);
    }
    this.enter(gfn, to);
    return true;
  }

  /** Do several pages lie in the frame, of whichever guest? */
  isShared(pfn: Pfn): boolean {
    return this.claims.count(pfn) > 1;
  }

  /** Stores from now on make versions after this one. */
  diverge(version: number): void {
    this.lastVersion = version;
  }

  /** The memory of another guest as it is now is this one's too: a clone. The host says where its pages lie. */
  inherit(other: HostFrames): void {
    this.versions.set(other.versions);
    for (const [gfn, pfn] of this.pfnOf.entries()) if (pfn >= 0) this.leave(gfn, pfn as Pfn);
    for (const [gfn, contents] of other.away) this.away.set(gfn, contents);
    for (const gfn of other.holes.keys()) this.hide(gfn);
  }

  /** The host does to the page what it does to any, although the guest has none there. */
  private behindHole<T>(gfn: number, act: () => T): T {
    this.show(gfn);
    const result = act();
    this.hide(gfn);
    return result;
  }

  private enter(gfn: number, pfn: Pfn): void {
    const before = this.owner(pfn);
    if (before !== -1) {
      const both = this.together.get(pfn) ?? new Set([before]);
      this.together.set(pfn, both.add(gfn));
    }
    this.claims.add(pfn);
    this.pfnOf[gfn] = pfn;
    this.gfnOf[pfn] = gfn;
  }

  private leave(gfn: number, pfn: Pfn): void {
    this.claims.remove(pfn);
    this.pfnOf[gfn] = -1;
    const others = this.together.get(pfn);
    others?.delete(gfn);
    if (others !== undefined && others.size < 2) this.together.delete(pfn);
    const [next = -1] = others ?? [];
    if (this.gfnOf[pfn] === gfn) this.gfnOf[pfn] = next;
  }

  private take(gfn: number) {
    const pfn = this.pfnOf[gfn]!;
    const behind = { pfn, version: this.versions[gfn]!, away: this.away.get(gfn) };
    if (pfn !== -1) this.leave(gfn, pfn as Pfn);
    this.away.delete(gfn);
    return behind;
  }

  private put(gfn: number, { pfn, version, away }: ReturnType<HostFrames["take"]>): void {
    if (pfn !== -1) this.enter(gfn, pfn as Pfn);
    if (away !== undefined) this.away.set(gfn, away);
    this.versions[gfn] = version;
  }

  /** The host takes the frame: the page's data is lost, and so is its place. */
  reclaim(gfn: number): void {
    if (this.isHole(gfn)) return this.behindHole(gfn, () => this.reclaim(gfn));
    const pfn = this.pfnOf[gfn];
    if (pfn === undefined) return;
    if (pfn !== -1) this.leave(gfn, pfn as Pfn);
    this.away.delete(gfn);
    this.versions[gfn] = 0;
  }

  /** A store of unknown value: both sides have a new version. */
  advance(gfn: number, pfn: Pfn): void {
    this.lastVersion = (this.lastVersion + 1) | 0;
    this.memory.stamps[pfn] = this.lastVersion;
    this.versions[gfn] = this.lastVersion;
  }

  /** Silicon's own zeroing gives version 0. */
  zeroed(gfn: number): void {
    this.versions[gfn] = 0;
  }

  /** The page holds data of this version now, another's. */
  copied(to: number, version: number): void {
    this.versions[to] = version;
  }

  holdsLatest(gfn: number, pfn: Pfn): boolean {
    return this.versions[gfn] === this.memory.stamps[pfn];
  }

  /** The version of the page's data that the guest wrote last; 0 for a page of zeros. */
  latest(gfn: number): number {
    return this.versions[gfn]!;
  }

  /** Does the frame hold the page's bytes, A and D bits aside? Those, a hypervisor may set in one of two copies. */
  private holdsEntries(gfn: number, pfn: Pfn): boolean {
    const { words } = this.memory;
    const here = this.memory.wordsOf(pfn);
    const held = this.held(gfn);
    if (held.words === words && held.first === here) return true;
    for (let i = 0; i < wordsPerFrame; i += 2) {
      if (withoutMarks(words[here + i]! ^ held.words[held.first + i]!) !== 0) return false;
      if (words[here + i + 1] !== held.words[held.first + i + 1]) return false;
    }
    return true;
  }

  /** The page's words, in memory or kept here, and where they begin. */
  private held(gfn: number): { readonly words: Int32Array; readonly first: number } {
    const pfn = (this.pfnOf[gfn] ?? -1) as Pfn;
    const { words } = this.memory;
    if (pfn >= 0) return { words, first: this.memory.wordsOf(pfn) };
    // Slot 0 is zeros.
    return { words: this.away.get(gfn)?.words ?? words, first: 0 };
  }
}
