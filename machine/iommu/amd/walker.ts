/**
 * AMD's walker with its IOTLB and its cache of entries that name tables, tagged by domain.
 *
 * It is no list of stages: where a walk goes on is in the entry and not in the level, and a page has any power of two.
 * A cold walk reads one entry per table on the way, so as many as the device entry's mode says less those that are skipped.
 *
 * Model: one IOTLB for pages of all sizes, of the geometry that the preset gives to 4 KiB ones; the caches of named tables as the
 * preset's for levels 2 to 5, none for 6. Bias: unknown, AMD publishes neither.
 *
 * Source: AMD IOMMU specification 2.2.3, 2.4.3 "INVALIDATE_IOMMU_PAGES" (S, PDE).
 */
import { entriesPerTable, type Pfn } from "../../address.ts";
import { frameOf } from "../../formats/x86-entry.ts";
import type { PhysicalMemory } from "../../memory.ts";
import {
  cachesByLevel,
  type CachesByLevel,
  type Key,
  keyOf,
  PlainCache,
} from "../../plain/cache.ts";
import type { Preset } from "../../presets.ts";
import type { IommuLedger } from "../counters.ts";
import type { AmdCommand } from "./commands.ts";
import type { DeviceEntry } from "./device-table.ts";
import type { AmdEvent } from "./events.ts";
import {
  AMD_PR,
  AMD_READ,
  AMD_WRITE,
  amdFrame,
  amdNext,
  amdOrder,
  amdRights,
  ANY_SIZE,
  isAmdSound,
  skipsZeros,
} from "./entries.ts";

type TlbEntry = Key & { readonly frame: number; readonly rights: number };
type TableEntry = Key & Step;

/** A table on the way: its frame, the level of its entries, what the entries above grant. */
interface Step {
  readonly frame: number;
  readonly level: number;
  readonly rights: number;
}

interface Leaf {
  readonly frame: number;
  readonly order: number;
  readonly rights: number;
}

const contextOf = (domain: number) => ({ vpid: domain, pcid: 0, eptp: null });

export class AmdWalker {
  private readonly memory: PhysicalMemory;
  private readonly ledger: IommuLedger;
  private readonly tlb: PlainCache<TlbEntry>;
  private readonly tables: CachesByLevel<TableEntry>;
  /** Page sizes that the IOTLB has ever had, as log2, rising: where two cover a page, the smaller one is taken. */
  private orders: readonly number[] = [];

  constructor(memory: PhysicalMemory, preset: Preset, ledger: IommuLedger) {
    this.memory = memory;
    this.ledger = ledger;
    this.tlb = new PlainCache(preset.stlb);
    this.tables = cachesByLevel(preset.pwc);
  }

  /** The frame behind `page` for who needs `needed` of it, or why there is none. */
  translate(entry: DeviceEntry, page: number, needed: number): Pfn | AmdEvent["cause"] {
    // What the device entry withholds, no table grants.
    if ((entry.rights & needed) === 0) return "denied";
    const cached = this.find(entry.domain, page);
    if (cached !== null && (cached.rights & needed) !== 0) {
      this.tlb.touch(cached);
      return (cached.frame + (page % 2 ** cached.order)) as Pfn;
    }
    this.ledger.tlbMisses += 1;
    const leaf = this.walk(entry, page);
    if (typeof leaf === "string") return leaf;
    if ((leaf.rights & needed) === 0) return "denied";
    if (leaf.frame + 2 ** leaf.order > this.memory.frames) return "reserved";
    if (!this.orders.includes(leaf.order)) {
      this.orders = [...this.orders, leaf.order].sort((a, b) => a - b);
    }
    this.tlb.insert({ ...keyOf(page, leaf.order, contextOf(entry.domain)), ...leaf });
    return (leaf.frame + (page % 2 ** leaf.order)) as Pfn;
  }

  private find(domain: number, page: number): TlbEntry | null {
    const context = contextOf(domain);
    for (const order of this.orders) {
      const entry = this.tlb.find(keyOf(page, order, context));
      if (entry !== null) return entry;
    }
    return null;
  }

  private walk({ root, levels, domain }: DeviceEntry, page: number): Leaf | AmdEvent["cause"] {
    if (page >= 2 ** (9 * levels)) return "absent";
    let step = this.cached(domain, page) ?? {
      frame: root,
      level: levels,
      rights: AMD_READ | AMD_WRITE,
    };
    for (;;) {
      const { level, frame: pfn } = step;
      if (pfn >= this.memory.frames) return "reserved";
      const index = Math.floor(page / 2 ** (9 * (level - 1))) % entriesPerTable;
      const low = this.memory.readLow(pfn as Pfn, index);
      const high = this.memory.readHigh(pfn as Pfn, index);
      this.ledger.referencesSecond += 1;
      const rights = step.rights & amdRights(low, high);
      if (rights === 0) return (low & AMD_PR) === 0 ? "absent" : "denied";
      if (!isAmdSound(low, high, level)) return "reserved";
      const next = amdNext(low);
      if (next === 0 || next === ANY_SIZE) {
        const order = amdOrder(low, high, level);
        return { frame: amdFrame(low, high, order), order, rights };
      }
      if (!skipsZeros(page, level, next)) return "reserved";
      step = { frame: frameOf(low, high), level: next, rights };
      const key = keyOf(page, 9 * (level - 1), contextOf(domain));
      this.tables[level]?.insert({ ...key, ...step });
    }
  }

  /** The table nearest to the leaf that is known, if the address has zeros where its entry skips. */
  private cached(domain: number, page: number): Step | null {
    for (const [key, cache] of Object.entries(this.tables)) {
      const level = Number(key);
      const entry = cache.find(keyOf(page, 9 * (level - 1), contextOf(domain)));
      if (entry === null || !skipsZeros(page, level, entry.level)) continue;
      cache.touch(entry);
      return entry;
    }
    return null;
  }

  /** Forgets 2^`order` pages of a domain; what is known of tables only if the command says so (PDE). */
  invalidate({ domain, page, order, tables }: Extract<AmdCommand, { kind: "pages" }>): void {
    const isMeant = (entry: Key) => {
      const size = 2 ** Math.max(order, entry.order);
      const from = entry.tag * 2 ** entry.order;
      return entry.vpid === domain && Math.floor(from / size) === Math.floor(page / size);
    };
    this.tlb.removeWhere(isMeant);
    if (!tables) return;
    for (const cache of Object.values(this.tables)) cache.removeWhere(isMeant);
  }
}
