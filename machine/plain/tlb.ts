/**
 * One level of the TLB: a bank per page size, probed from the smallest page to the largest.
 *
 * A first-level TLB splits a page whose size has no bank into fragments of the next smaller size that
 * has one; a second-level TLB leaves such a page out.
 */
import type { PageOrder } from "../address.ts";
import type { Preset } from "../presets.ts";
import type { Paging } from "../stages.ts";
import { type Context, type Key, keyOf, PlainCache } from "./cache.ts";
import { mayFetch } from "./rights.ts";
import type { Access } from "./stop.ts";

/** What a completed walk yields for a page; rights are raw, so WP is applied at each access. */
export interface Translation {
  readonly order: PageOrder;
  /** Size of the guest's page, which may be larger: INVLPG drops all its pieces. */
  readonly guestOrder: number;
  /** Host frame of the page's first 4 KiB. */
  readonly frame: number;
  readonly write: boolean;
  readonly user: boolean;
  readonly execute: boolean;
  /** The same of the supervisor, where modes have rights of their own. */
  readonly supervisorExecute: boolean;
  /** Execute right of the nested tables; true without any. */
  readonly nestedExecute: boolean;
  /** A store needs no walk: D is set in every dimension that has D, and the others allow writing. */
  readonly dirty: boolean;
  readonly global: boolean;
  /** The page is a shadow stack's, and such loads and stores need no walk. */
  readonly stackLoad: boolean;
  readonly stackStore: boolean;
}

/** Do the entry's rights permit the access without asking the tables again? */
export function allows(
  entry: Translation,
  { kind, user, isStack }: Access,
  { writeProtect }: Paging,
): boolean {
  if (isStack)
    return user === entry.user && (kind === "write" ? entry.stackStore : entry.stackLoad);
  if (user && !entry.user) return false;
  if (kind === "read") return true;
  if (kind === "fetch") return entry.nestedExecute && mayFetch(entry, user);
  return (entry.write || (!user && !writeProtect)) && entry.dirty;
}

export type TlbEntry = Translation & Key;

export interface Bank {
  readonly order: PageOrder;
  readonly cache: PlainCache<TlbEntry>;
}

export class PlainTlb {
  /** From the smallest order up; two orders may share one cache. */
  readonly banks: readonly Bank[];
  private readonly unbanked: "split" | "skip";

  constructor(banks: readonly Bank[], unbanked: "split" | "skip") {
    this.banks = banks.filter((bank) => bank.cache.ways > 0);
    this.unbanked = unbanked;
  }

  find(vpn: number, context: Context): TlbEntry | null {
    for (const { order, cache } of this.banks) {
      const entry = cache.find(keyOf(vpn, order, context));
      if (entry !== null) return entry;
    }
    return null;
  }

  touch(entry: TlbEntry): void {
    this.cacheOf(entry.order).touch(entry);
  }

  fill(vpn: number, context: Context, translation: Translation): void {
    const entry = this.entryFor(vpn, context, translation);
    if (entry !== null) this.cacheOf(entry.order).insert(entry);
  }

  /** `old` did not allow the access and a walk gave `translation`: it replaces it, as the most recent. */
  replace(old: TlbEntry, vpn: number, context: Context, translation: Translation): void {
    this.cacheOf(old.order).remove(old);
    this.fill(vpn, context, translation);
  }

  /** As `replace`, but the age stays, and a page of another size is dropped instead of entered. */
  refresh(old: TlbEntry, vpn: number, context: Context, translation: Translation): void {
    const entry = this.entryFor(vpn, context, translation);
    const cache = this.cacheOf(old.order);
    if (entry !== null && entry.order === old.order) cache.update(old, entry);
    else cache.remove(old);
  }

  removeWhere(unwanted: (entry: TlbEntry) => boolean): void {
    for (const { cache } of this.banks) cache.removeWhere(unwanted);
  }

  private entryFor(vpn: number, context: Context, translation: Translation): TlbEntry | null {
    const bank = this.banks.findLast(({ order }) =>
      this.unbanked === "split" ? order <= translation.order : order === translation.order,
    );
    if (bank === undefined) return null;
    const { order } = bank;
    const fragment = (vpn % 2 ** translation.order) - (vpn % 2 ** order);
    const frame = translation.frame + fragment;
    // The key comes last: what fills a first level may be a second level's entry with its own key.
    const { global } = translation;
    return { ...translation, ...keyOf(vpn, order, context), order, frame, global };
  }

  private cacheOf(order: PageOrder): PlainCache<TlbEntry> {
    return this.banks.find((bank) => bank.order === order)!.cache;
  }
}

/** Is `vpn` in the guest page that the entry is, or is a piece of? */
export function coversGuestPage(entry: TlbEntry, vpn: number): boolean {
  const first = entry.tag * 2 ** entry.order;
  const span = 2 ** entry.guestOrder;
  return Math.floor(first / span) === Math.floor(vpn / span);
}

/** The TLBs of a processor. */
export function plainTlbs({ l1Data, l1Code, stlb, stlb2m, stlb1g }: Preset) {
  const unified = new PlainCache<TlbEntry>(stlb);
  return {
    l1Data: new PlainTlb(
      [
        { order: 0, cache: new PlainCache(l1Data["4k"]) },
        { order: 9, cache: new PlainCache(l1Data["2m"]) },
        { order: 18, cache: new PlainCache(l1Data["1g"]) },
      ],
      "split",
    ),
    l1Code: new PlainTlb(
      [
        { order: 0, cache: new PlainCache(l1Code["4k"]) },
        { order: 9, cache: new PlainCache(l1Code["2m"]) },
      ],
      "split",
    ),
    stlb: new PlainTlb(
      [
        { order: 0, cache: unified },
        { order: 9, cache: stlb2m ? unified : new PlainCache<TlbEntry>(null) },
        { order: 18, cache: new PlainCache(stlb1g) },
      ],
      "skip",
    ),
  };
}

/**
 * Size of the TLB entry for a page: the largest one not above it that TLBs have.
 *
 * Model: pages of 16 and 64 KiB, and what lies between 2 MiB and 1 GiB, fill TLBs piece by piece, where Arm's cores have
 * entries of their sizes. Bias: unknown.
 */
export function cachedOrder(order: number): PageOrder {
  return order >= 18 ? 18 : order >= 9 ? 9 : 0;
}
