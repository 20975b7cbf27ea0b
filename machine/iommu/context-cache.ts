/**
 * From a request's source (and PASID) to how it is translated: tables in memory, and the caches before them.
 *
 * Model: context and PASID caches have room for every device. Bias: none below a few dozen devices.
 *
 * Source: VT-d specification 6.2.2 "Context-Cache", 6.2.3 "PASID-Cache".
 */
import { readContext, readRoot } from "./context-tables.ts";
import type { IommuCounts } from "./counters.ts";
import type { Invalidation } from "./descriptors.ts";
import {
  type PasidEntry,
  readDirectory,
  readPasid,
  readScalableContext,
  readScalableRoot,
} from "./pasid-tables.ts";
import type { QueueMemory } from "./queue-memory.ts";

/** How requests of one source and PASID are translated. */
export interface Binding extends PasidEntry {
  /** May the device ask for translations and keep them (ATS)? */
  readonly ats: boolean;
}

export interface Requestor {
  /** Bus, device and function. */
  readonly source: number;
  readonly pasid: number;
}

export class ContextCache {
  private readonly memory: QueueMemory;
  private readonly counts: IommuCounts;
  private readonly legacy = new Map<number, Binding>();
  private readonly contexts = new Map<number, number>();
  private readonly pasids = new Map<string, Binding>();

  constructor(memory: QueueMemory, counts: IommuCounts) {
    this.memory = memory;
    this.counts = counts;
  }

  /** Legacy mode: root and context entry. Null: no entry, or none that is present. */
  findLegacy(root: number, { source }: Requestor): Binding | null {
    const { ledger } = this.counts;
    const known = this.legacy.get(source);
    if (known !== undefined) {
      ledger.contextHits += 1;
      return known;
    }
    ledger.contextMisses += 1;
    ledger.referencesContext += 1;
    const table = readRoot(this.memory, root, source);
    if (table === null) return null;
    ledger.referencesContext += 1;
    const entry = readContext(this.memory, table, source);
    if (entry === null) return null;
    const isPassed = entry.type === "pass-through";
    const binding: Binding = {
      translation: isPassed ? "pass-through" : "second-level",
      domain: entry.domain,
      first: 0,
      firstLevels: 4,
      second: entry.table,
      secondLevels: entry.levels,
      secondMarks: false,
      ats: entry.type === "translate-ats",
    };
    // What is not present is not cached: that is what caching mode off means.
    this.legacy.set(source, binding);
    return binding;
  }

  /** Scalable mode: root, context, PASID directory, PASID table. */
  findScalable(root: number, { source, pasid }: Requestor): Binding | null {
    const { memory, counts } = this;
    const key = `${source} ${pasid}`;
    const known = this.pasids.get(key);
    if (known !== undefined) {
      counts.ledger.pasidHits += 1;
      return known;
    }
    counts.ledger.pasidMisses += 1;
    const directory = this.directoryOf(root, source);
    if (directory === null) return null;
    counts.ledger.referencesContext += 1;
    const table = readDirectory(memory, directory, pasid);
    if (table === null) return null;
    counts.ledger.referencesContext += 1;
    const entry = readPasid(memory, table, pasid);
    if (entry === null) return null;
    const binding = { ...entry, ats: true };
    this.pasids.set(key, binding);
    return binding;
  }

  private directoryOf(root: number, source: number): number | null {
    const { memory, counts } = this;
    const known = this.contexts.get(source);
    if (known !== undefined) {
      counts.ledger.contextHits += 1;
      return known;
    }
    counts.ledger.contextMisses += 1;
    counts.ledger.referencesContext += 1;
    const table = readScalableRoot(memory, root, source);
    if (table === null) return null;
    counts.ledger.referencesContext += 1;
    const directory = readScalableContext(memory, table, source);
    if (directory !== null) this.contexts.set(source, directory);
    return directory;
  }

  invalidate(what: Extract<Invalidation, { kind: "context" | "pasid-cache" }>): void {
    if (what.kind === "pasid-cache") {
      for (const [key, { domain }] of this.pasids) {
        const isOne = what.pasid === null || key.endsWith(` ${what.pasid}`);
        if (domain === what.domain && isOne) this.pasids.delete(key);
      }
      return;
    }
    const isMeant = (source: number, domain: number | null) =>
      what.scope === "global" ||
      (what.scope === "device"
        ? source === what.source
        : domain === null || domain === what.domain);
    for (const [source, { domain }] of this.legacy) {
      if (isMeant(source, domain)) this.legacy.delete(source);
    }
    for (const source of this.contexts.keys()) {
      if (isMeant(source, null)) this.contexts.delete(source);
    }
  }
}
