/**
 * A device whose mappings follow the guest's tables at every invalidation, and are all there before it asks: the shadow
 * of a table by caching mode.
 *
 * Source: QEMU 7.2 hw/i386/intel_iommu.c `vtd_address_space_sync`, `vtd_address_space_unmap`, `vtd_iommu_replay`.
 */
import { pagesPerEntry } from "../machine/address.ts";
import type { ContextEntry } from "../machine/iommu/context-tables.ts";
import type { SchemeCounts } from "./scheme.ts";
import type { QueueMemory } from "../machine/iommu/queue-memory.ts";
import type { DeviceView } from "./emulated-vtd.ts";
import { MappedRanges } from "./mapped-ranges.ts";
import {
  createWalkCounts,
  type IoEntries,
  type MappingUser,
  secondLevelEntries,
  shadowRange,
} from "./shadow-walk.ts";

/** Pages at which interrupts are written: no mapping is there. */
const interruptPages = { start: 0xf_ee00, end: 0xf_ef00 };

export class ShadowedDevice implements DeviceView {
  readonly source: number;
  readonly counts = createWalkCounts();
  /** Calls of the mapping user, in either direction. */
  calls = 0;
  /** Walks of everything that a domain maps. */
  wholeWalks = 0;
  private readonly memory: QueueMemory;
  private readonly mapped = new MappedRanges();
  private readonly user: MappingUser;
  private readonly entries: IoEntries;
  private readonly guestFrames: number;
  private context: ContextEntry | null | "off" = null;

  constructor(options: {
    readonly source: number;
    /** The guest's, by guest frame. */
    readonly memory: QueueMemory;
    readonly guestFrames: number;
    readonly user: MappingUser;
    /** How the guest's IOMMU writes entries; an Intel one's if nothing is said. */
    readonly entries?: IoEntries;
  }) {
    this.entries = options.entries ?? secondLevelEntries;
    this.source = options.source;
    this.memory = options.memory;
    this.guestFrames = options.guestFrames;
    const { user } = options;
    this.user = {
      map: (range) => {
        this.calls += 1;
        user.map(range);
      },
      unmap: (page, pages) => {
        this.calls += 1;
        user.unmap(page, pages);
      },
    };
  }

  translationSwitched(context: ContextEntry | null | "off"): void {
    this.unmapAll();
    this.context = context === "off" ? "off" : null;
    if (context === "off") this.mapAllMemory();
    else if (context !== null) this.contextChanged(context);
  }

  /** IO addresses are guest-physical ones: every page is pinned and mapped. */
  private mapAllMemory(): void {
    const all = { page: 0, pages: this.guestFrames, gfn: 0, rights: "read-write" } as const;
    if (all.pages === 0) return;
    this.mapped.insert(all);
    this.user.map(all);
  }

  contextChanged(context: ContextEntry | null): void {
    const wasMemory = this.isAllMemory();
    this.context = context;
    if (context === null) {
      this.unmapAll();
    } else if (context.type === "pass-through") {
      if (wasMemory) return;
      this.unmapAll();
      this.mapAllMemory();
    } else {
      if (wasMemory) this.unmapAll();
      this.domainInvalidated(context);
    }
  }

  private isAllMemory(): boolean {
    const { context } = this;
    return context === "off" || context?.type === "pass-through";
  }

  rangeInvalidated(context: ContextEntry, page: number, pages: number): void {
    if (context.type === "pass-through") return;
    const { memory, entries } = this;
    const table = { memory, entries, root: context.table, levels: context.levels };
    shadowRange({ mapped: this.mapped, user: this.user }, table, { page, pages }, this.counts);
  }

  domainInvalidated(context: ContextEntry): void {
    this.wholeWalks += 1;
    this.rangeInvalidated(context, 0, pagesPerEntry(context.levels + 1));
  }

  deviceTlbInvalidated(): void {
    // The host's own unmapping has emptied it.
  }

  /** Everything, by aligned ranges of powers of two around the pages where interrupts are written. */
  private unmapAll(): void {
    const end = pagesPerEntry(4);
    for (const part of [
      ...alignedParts(0, interruptPages.start),
      ...alignedParts(interruptPages.end, end),
    ]) {
      this.mapped.remove(part.page, part.pages);
      this.user.unmap(part.page, part.pages);
    }
  }
}

/** [start, end) as naturally aligned ranges of powers of two, as few as there are. */
export function alignedParts(
  start: number,
  end: number,
): readonly { readonly page: number; readonly pages: number }[] {
  const parts: { page: number; pages: number }[] = [];
  for (let page = start; page < end;) {
    let pages = 1;
    while (page % (2 * pages) === 0 && page + 2 * pages <= end) pages *= 2;
    parts.push({ page, pages });
    page += pages;
  }
  return parts;
}

/** What the hypervisor walked for all of them. */
export function walkedFor(
  shadows: readonly ShadowedDevice[],
): Pick<SchemeCounts, "tablesWalked" | "windows"> {
  return {
    tablesWalked: shadows.reduce((sum, { counts }) => sum + counts.tables, 0),
    windows: shadows.reduce((sum, { counts }) => sum + counts.replaced, 0),
  };
}
