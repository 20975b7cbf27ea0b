/** Lines of tables and of the program's own in the data caches, in the plain unit. */
import type { Pfn } from "../address.ts";
import type { Ledger } from "../counters.ts";
import { createDataCache, type DataCache } from "../data-cache.ts";
import type { PhysicalMemory } from "../memory.ts";
import type { WalkReference } from "../mmu.ts";
import type { Preset } from "../presets.ts";

const places = ["L1Hits", "L2Hits", "LlcHits", "Dram", "Remote"] as const;

export class PlainLines {
  private readonly cache: DataCache | null;
  private readonly hasProgramLines: boolean;
  private readonly counts: Ledger;

  constructor(memory: PhysicalMemory, { dataCache }: Preset, counts: Ledger) {
    this.counts = counts;
    this.hasProgramLines = dataCache?.programLines === true;
    const nodeOf = (line: number) => memory.nodeOf(Math.floor(line / 64) as Pfn);
    this.cache = dataCache === null ? null : createDataCache(dataCache, nodeOf);
  }

  moveTo = (node: number): void => this.cache?.moveTo(node);

  readTable({ pfn, index, dimension }: WalkReference): void {
    if (this.cache === null) return;
    const place = places[this.cache.reference(pfn * 64 + Math.floor(index / 8))];
    this.counts[`reference${place}`] += 1;
    this.counts[`${dimension}Reference${place}`] += 1;
  }

  /** The program's own line, after its translation. */
  readData(pfn: number, offset: number): void {
    if (this.cache === null || !this.hasProgramLines) return;
    const place = places[this.cache.access(pfn * 64 + Math.floor(offset / 64))];
    this.counts[`data${place}`] += 1;
  }
}
