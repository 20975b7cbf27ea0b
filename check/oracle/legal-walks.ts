/**
 * Every translation that silicon may use for one access: the definition of legality, as a search.
 *
 * An entry on the path may have its value of now or a present value that it held earlier, if a cache can
 * still hold it. The last entry read, the leaf, was read at some moment (a TLB entry remembers the result), no
 * earlier than the last invalidation that covers the page. An entry above it was current at that moment,
 * or sat in a paging-structure cache then, so it stood after the last invalidation of those. Entries that are
 * not present or reserved are never cached, nor are entries with A=0. Freed tables are walked like any other.
 * An entry that the host took away with its page counts as standing (`entry-history.ts`).
 *
 * Slow, and asked only when the walk of the tables as they are does not explain what happened.
 *
 * Source: SDM vol. 3A 4.10.2 "Translation Lookaside Buffers", 4.10.3 "Paging-Structure Caches".
 */
import {
  frameOf,
  isAccessed,
  isDirty,
  isExecutable,
  isGlobal,
  isLarge,
  isPresent,
  isUser,
  isWritable,
  userLink,
} from "../../machine/formats/x86-entry.ts";
import { PF_PRESENT, PF_RESERVED } from "../../machine/page-fault.ts";
import type { Cr3, Registers } from "../../machine/registers.ts";
import { FETCH, SHADOW_STACK, STORE, USER } from "../../machine/mmu.ts";
import type { Isa } from "../../machine/isa/isa.ts";
import type { EntryHistory, Superseded } from "./entry-history.ts";
import type { HostFrames } from "./host-frames.ts";
import type { InvalidationLog, RootTenure } from "./invalidation-log.ts";

export interface Query {
  readonly log: InvalidationLog;
  readonly cr3: Cr3;
  readonly registers: Registers;
  readonly vpn: number;
  /** The access, as in the MMU's high column. */
  readonly high: number;
}

export type Outcome =
  /** Ends at a page: the frame of the 4 KiB accessed, and the flags that all levels share. */
  | {
      readonly kind: "page";
      readonly gfn: number;
      readonly flags: number;
      readonly nx: boolean;
      readonly dirty: boolean;
      /** Is it a page of a shadow stack? W in all entries but the leaf, which has D. */
      readonly isStack: boolean;
    }
  /** Ends at an entry that translates nothing. */
  | { readonly kind: "broken"; readonly reserved: boolean };

/** Since when caches may hold what: per PCID, or for global translations. */
interface Window {
  pageSince(order: number): number;
  structuresSince(at: number): number;
  readonly onlyGlobals: boolean;
}

interface Path {
  /** Every entry so far had its value at this time or later. */
  readonly start: number;
  /** When the first of the values so far ceased to stand. */
  readonly end: number;
  readonly flags: number;
  readonly nx: boolean;
}

/** One search: what it may use, and the best ways so far to each table with the same rights. */
interface Search {
  readonly query: Query;
  readonly window: Window;
  readonly seen: Map<string, Path[]>;
}

/** Does the architecture let this access through with these rights? */
export function allows(outcome: Outcome, { high, registers }: Query): boolean {
  if (outcome.kind === "broken") return false;
  const { flags } = outcome;
  const user = (high & USER) !== 0;
  if ((high & SHADOW_STACK) !== 0) return outcome.isStack && isUser(flags) === user;
  if (user && !isUser(flags)) return false;
  if ((high & FETCH) !== 0) return !outcome.nx;
  if ((high & STORE) !== 0) return isWritable(flags) || (!user && !registers.writeProtect);
  return true;
}

/** Are A and, for a store, D set as a completed access demands? */
export function isMarked(outcome: Outcome, high: number): boolean {
  if (outcome.kind === "broken" || !isAccessed(outcome.flags)) return false;
  return (high & STORE) === 0 || outcome.dirty;
}

/** Bits 52..44 of an address: the machine has 44 physical address bits. */
const reservedHigh = 0x000f_f000;

/** True for entries that fault whatever the access: reserved address bits, PS where there are no pages. */
export function isReserved(level: number, low: number, high: number): boolean {
  if ((high & reservedHigh) !== 0) return true;
  if (!isLarge(low) || level === 1) return false;
  if (level > 3) return true;
  return (low & (level === 2 ? 0x001f_e000 : 0x3fff_e000)) !== 0;
}

export function tableIndex(vpn: number, level: number): number {
  return Math.floor(vpn / 512 ** (level - 1)) % 512;
}

/** What a page means whatever the guest's tables say of it; null: what they say. */
export type Pinned = (vpn: number) => Outcome | null;

export class LegalWalks {
  private readonly frames: HostFrames;
  private readonly history: EntryHistory;
  private readonly pinned: Pinned;
  private readonly isa: Isa;

  constructor(frames: HostFrames, history: EntryHistory, isa: Isa, pinned: Pinned = () => null) {
    this.frames = frames;
    this.history = history;
    this.isa = isa;
    this.pinned = pinned;
  }

  /** The entry as it is now, in x86-64's words. */
  entry(gfn: number, index: number): { readonly low: number; readonly high: number } {
    return this.inWords(this.frames.entry(gfn, index));
  }

  private inWords<T extends { readonly low: number; readonly high: number }>(bytes: T): T {
    const { low, high } = bytes;
    const { isa } = this;
    return { ...bytes, low: isa.readLow(low, high), high: isa.readHigh(low, high) };
  }

  /** Is this outcome a #PF with these P and RSVD bits? */
  explains(outcome: Outcome, cause: number, query: Query): boolean {
    if (outcome.kind !== "page") return cause === (outcome.reserved ? PF_PRESENT | PF_RESERVED : 0);
    // Software's A and D: who lacks them is refused as who lacks the right.
    const isRefused = this.isa.marks === "software" && !isMarked(outcome, query.high);
    return cause === PF_PRESENT && (isRefused || !allows(outcome, query));
  }

  /** Where the tables as they are lead: the one right answer when nothing stale is cached. */
  now({ cr3, registers, vpn }: Query): Outcome {
    const pinned = this.pinned(vpn);
    if (pinned !== null) return pinned;
    let table: number = cr3.root;
    let flags = ~0;
    let nx = false;
    for (let level: number = registers.levels; ; level--) {
      const { low, high } = this.entry(table, tableIndex(vpn, level));
      if (!isPresent(low)) return { kind: "broken", reserved: false };
      if (isReserved(level, low, high)) return { kind: "broken", reserved: true };
      const above = flags;
      flags &= low;
      nx ||= !isExecutable(high);
      table = frameOf(low, high);
      if (level > 1 && !isLarge(low)) continue;
      const [gfn, isStack] = [within(table, vpn, level), isStackLeaf(above, low)];
      return { kind: "page", gfn, flags, nx, dirty: isDirty(low), isStack };
    }
  }

  /** All legal outcomes, some of them more than once. */
  *outcomes(query: Query): Generator<Outcome> {
    const { log, cr3, registers, vpn } = query;
    const pinned = this.pinned(vpn);
    if (pinned !== null) {
      yield pinned;
      return;
    }
    const local: Window = {
      pageSince: (order) => log.pageSince(cr3.pcid, vpn, order),
      structuresSince: (at) => log.structuresSince(cr3.pcid, at),
      onlyGlobals: false,
    };
    yield* this.fromRoots({ query, window: local, seen: new Map() }, log.rootsOf(cr3.pcid));
    if (!registers.globalPages) return;
    const global: Window = {
      pageSince: (order) => log.globalPageSince(vpn, order),
      // Model: which PCID cached the upper levels of a global translation is not told apart; this allows
      // more. Bias: none, the oracle decides no result.
      structuresSince: () => log.globalStructuresSince,
      onlyGlobals: true,
    };
    yield* this.fromRoots({ query, window: global, seen: new Map() }, log.rootsOfGlobals);
  }

  private *fromRoots(search: Search, roots: Iterable<RootTenure>): Generator<Outcome> {
    for (const { gfn, end } of roots) {
      const path = { start: 0, end, flags: sharedFlags, nx: false };
      yield* this.below(search, path, search.query.registers.levels, gfn);
    }
  }

  private *below(search: Search, path: Path, level: number, table: number): Generator<Outcome> {
    const { query, window } = search;
    // Whatever is read below, no cache holds this path any more.
    if (path.end <= window.structuresSince(path.start)) return;
    if (isNoBetter(search, path, level, table)) return;
    const { history } = this;
    const index = tableIndex(query.vpn, level);
    const { low, high } = this.entry(table, index);
    if (!isPresent(low) || isReserved(level, low, high)) {
      // Read this moment, through links that stand or that the paging-structure caches hold.
      const isReachable = path.end > window.structuresSince(history.now);
      if (isReachable && !window.onlyGlobals) yield { kind: "broken", reserved: isPresent(low) };
    } else {
      const current = { low, high, start: history.startOf(table, index), end: Infinity };
      yield* this.through(search, path, level, current);
    }
    const lostBytes = history.lostAt(table, index);
    const lost = lostBytes === null ? null : this.inWords(lostBytes);
    if (lost !== null && !isReserved(level, lost.low, lost.high)) {
      yield* this.through(search, path, level, lost);
    }
    for (const bytes of history.pastOf(table, index)) {
      const value = this.inWords(bytes);
      if (!isAccessed(value.low) || isReserved(level, value.low, value.high)) continue;
      yield* this.through(search, path, level, value);
    }
  }

  /** Goes on through one value of an entry. */
  private *through(
    search: Search,
    path: Path,
    level: number,
    { low, high, start: since, end }: Superseded,
  ): Generator<Outcome> {
    const { query, window } = search;
    const start = Math.max(path.start, since);
    const flags = path.flags & low;
    const nx = path.nx || !isExecutable(high);
    if (level > 1 && !isLarge(low)) {
      const longer = { start, end: Math.min(path.end, end), flags, nx };
      yield* this.below(search, longer, level - 1, frameOf(low, high));
      return;
    }
    if (window.onlyGlobals && !isGlobal(low)) return;
    const read = Math.max(start, window.pageSince((level - 1) * 9));
    if (end <= read || path.end <= window.structuresSince(read)) return;
    const gfn = within(frameOf(low, high), query.vpn, level);
    yield {
      kind: "page",
      gfn,
      flags,
      nx,
      dirty: isDirty(low),
      isStack: isStackLeaf(path.flags, low),
    };
  }
}

/** Does a leaf below entries that share the flags `above` end at a page of a shadow stack? */
function isStackLeaf(above: number, low: number): boolean {
  return isWritable(above) && !isWritable(low) && isDirty(low);
}

/** What all levels must share to matter; all of them are present. */
const sharedFlags = userLink;

/**
 * Has the search been at this table with these rights, by a path that stood as long or longer? Without this,
 * a guest that rewrites its tables often has a number of paths that grows with the fourth power.
 */
function isNoBetter({ seen }: Search, path: Path, level: number, table: number): boolean {
  const key = `${level} ${table} ${path.flags} ${path.nx ? 1 : 0}`;
  const others = seen.get(key) ?? [];
  if (others.some(({ start, end }) => start <= path.start && end >= path.end)) return true;
  seen.set(key, [...others, path]);
  return false;
}

/** The 4 KiB frame that `vpn` reaches through a leaf of `level`. Bit 12 of a large leaf is PAT, not address. */
function within(frame: number, vpn: number, level: number): number {
  const span = 512 ** (level - 1);
  return frame - (frame % span) + (vpn % span);
}
