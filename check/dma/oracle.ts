/**
 * The oracle of DMA: says of each access of a device whether where it went is legal.
 *
 * Legal is the frame that the device's driver had mapped at that IO page at some moment since nobody was to have it any more:
 * what is mapped, and what was unmapped but is not yet invalidated. Nothing else, and nothing of another device's. What is
 * mapped must be reached.
 *
 * It knows drivers' calls and where guest pages lie; no table, no cache.
 */
import type { FrameRun } from "../../linux/iommu/core.ts";
import type { DmaObserver } from "../../linux/iommu/dma.ts";
import type { DmaRights } from "../../linux/iommu/entry-formats.ts";
import type { DmaKind } from "../../machine/iommu/iommu.ts";

/**
 * What went wrong. Lost: a mapped page was refused. Stale: reached after nobody was to reach it. Foreign: a frame that this
 * device never had at that page. Data: what lies there is not the page's latest, or is shared with others.
 */
export type DmaMismatchKind = "lost" | "stale" | "foreign" | "data";

export interface DmaMismatch {
  readonly kind: DmaMismatchKind;
  readonly source: number;
  readonly page: number;
  readonly access: DmaKind;
  readonly pfn: number | null;
}

interface Grant {
  readonly gfn: number;
  readonly rights: DmaRights;
}

interface PageGrants {
  live: Grant | null;
  /** Unmapped, and maybe still in caches. */
  readonly stale: Grant[];
  /** Frames that it ever was, to tell stale from foreign. */
  readonly past: Set<number>;
}

/** Where guest pages lie. */
export interface GuestPlaces {
  readonly frames: number;
  place(gfn: number): number;
}

/** A mismatch of each kind may be many; the first ones are kept. */
const keptMax = 20;

export class DmaOracle {
  checked = 0;
  refused = 0;
  /** Accesses to what was unmapped and is not invalidated yet: legal, and what laziness exposes. */
  staleReached = 0;
  readonly mismatches: DmaMismatch[] = [];
  mismatchCount = 0;
  private readonly places: GuestPlaces;
  private readonly protects: "page" | "guest";
  private readonly devices = new Map<number, Map<number, PageGrants>>();

  constructor(places: GuestPlaces, protects: "page" | "guest") {
    this.places = places;
    this.protects = protects;
  }

  /** What the driver of the device `source` is to tell. */
  observerOf(source: number): DmaObserver {
    const pages = new Map<number, PageGrants>();
    this.devices.set(source, pages);
    const each = (page: number, count: number, visit: (grants: PageGrants) => void) => {
      for (let i = 0; i < count; i++) {
        const grants = pages.get(page + i);
        if (grants !== undefined) visit(grants);
      }
    };
    return {
      mapped(page, runs, rights) {
        let at = page;
        for (const gfn of framesOf(runs)) {
          const grants = pages.get(at) ?? { live: null, stale: [], past: new Set<number>() };
          grants.live = { gfn, rights };
          grants.past.add(gfn);
          pages.set(at, grants);
          at += 1;
        }
      },
      cleared(page, count) {
        each(page, count, (grants) => {
          if (grants.live !== null) grants.stale.push(grants.live);
          grants.live = null;
        });
      },
      forgotten(page, count) {
        each(page, count, (grants) => (grants.stale.length = 0));
      },
    };
  }

  /** The device's access to `page` went to `pfn`, or was refused. */
  accessed(source: number, page: number, access: DmaKind, pfn: number | null): void {
    this.checked += 1;
    if (pfn === null) this.refused += 1;
    const grants = this.devices.get(source)?.get(page);
    const live = grants?.live ?? null;
    if (pfn === null) {
      if (live !== null && permits(live, access)) this.report("lost", source, page, access, pfn);
      return;
    }
    if (this.protects === "guest") {
      const isOwn = page < this.places.frames && this.places.place(page) === pfn;
      if (!isOwn) this.report("foreign", source, page, access, pfn);
      return;
    }
    const isAt = (grant: Grant) => permits(grant, access) && this.places.place(grant.gfn) === pfn;
    if (live !== null && isAt(live)) return;
    if (grants?.stale.some(isAt) === true) {
      this.staleReached += 1;
      return;
    }
    const past = [...(grants?.past ?? [])].some((gfn) => this.places.place(gfn) === pfn);
    this.report(past ? "stale" : "foreign", source, page, access, pfn);
  }

  /** As `accessed`, of a request that was translated earlier: what it reaches is no new exposure. */
  arrived(source: number, page: number, access: DmaKind, pfn: number): void {
    const { staleReached } = this;
    this.accessed(source, page, access, pfn);
    this.staleReached = staleReached;
  }

  protected report(
    kind: DmaMismatchKind,
    source: number,
    page: number,
    access: DmaKind,
    pfn: number | null,
  ): void {
    this.mismatchCount += 1;
    if (this.mismatches.length < keptMax) {
      this.mismatches.push({ kind, source, page, access, pfn });
    }
  }
}

/** What a device only writes it may read too: see linux/iommu/dma.ts. */
const permits = ({ rights }: Grant, access: DmaKind) => access === "read" || rights !== "read";

function* framesOf(runs: readonly FrameRun[]): Iterable<number> {
  for (const { frame, pages } of runs) {
    for (let i = 0; i < pages; i++) yield frame + i;
  }
}
