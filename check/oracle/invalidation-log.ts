/**
 * What one vCPU's caches may still hold: when each of its translations was last invalidated.
 *
 * Two kinds of cached state differ. A TLB entry goes when its page is invalidated; for a large page any
 * address inside it counts. Paging-structure entries of a PCID all go with every invalidation under that
 * PCID, whatever the page. Global translations are apart: they live under every PCID and survive CR3 writes.
 *
 * Source: SDM vol. 3A 4.10.4.1 "Operations that Invalidate TLBs and Paging-Structure Caches".
 */
import type { EntryHistory } from "./entry-history.ts";
import type { Cr3 } from "../../machine/registers.ts";
import type { Invalidation } from "../../machine/observer.ts";

/** A root that CR3 held under one PCID, and when another one took its place there. */
export interface RootTenure {
  readonly gfn: number;
  end: number;
}

/** Times by page number, one map per page order 0, 9, 18. */
class PageTimes {
  private readonly maps = [0, 1, 2].map(() => new Map<number, number>());

  /** INVLPG drops a large page whole, whatever address in it was named and however it is cached. */
  markAround(vpn: number, now: number): void {
    this.mark(vpn, now);
    this.maps[1]!.set(Math.floor(vpn / 512), now);
    this.maps[2]!.set(Math.floor(vpn / 512 ** 2), now);
  }

  mark(vpn: number, now: number): void {
    this.maps[0]!.set(vpn, now);
  }

  /** When `vpn`, as part of a page of `order`, was last marked; 0 if never. */
  last(vpn: number, order: number): number {
    const exact = this.maps[0]!.get(vpn) ?? 0;
    if (order === 0) return exact;
    return Math.max(exact, this.maps[order / 9]!.get(Math.floor(vpn / 2 ** order)) ?? 0);
  }

  clear(): void {
    for (const map of this.maps) map.clear();
  }
}

class Context {
  /** Nothing cached under this PCID is older. */
  since: number;
  readonly pages = new PageTimes();
  /** When single-page invalidations dropped the paging-structure entries, ascending. */
  structures: number[] = [];
  roots: RootTenure[] = [];

  constructor(since: number) {
    this.since = since;
  }

  flush(now: number): void {
    this.since = now;
    this.pages.clear();
    this.structures = [];
    this.roots = [];
  }
}

export class InvalidationLog {
  private readonly contexts = new Map<number, Context>();
  private readonly globalPages = new PageTimes();
  private globalSince = 0;
  private allSince = 0;
  /** Every root that may have filled a global translation. */
  private readonly globalRoots = new Map<number, RootTenure>();
  private cr3: Cr3 | null = null;

  /** CR3 as the guest sees it now; called before anything is translated. A change is an event. */
  load(cr3: Cr3, history: EntryHistory): void {
    if (cr3 === this.cr3) return;
    this.cr3 = cr3;
    this.enter(cr3, history.tick());
  }

  invalidated(scope: Invalidation, now: number): void {
    switch (scope.kind) {
      case "page": {
        const context = this.context(scope.pcid);
        context.structures.push(now);
        if (scope.globals) {
          context.pages.markAround(scope.vpn, now);
          this.globalPages.markAround(scope.vpn, now);
        } else {
          context.pages.mark(scope.vpn, now);
        }
        return;
      }
      case "context":
        this.flush(scope.pcid, now);
        return;
      case "all":
        this.allSince = now;
        for (const pcid of this.contexts.keys()) this.flush(pcid, now);
        if (!scope.globals) return;
        this.globalSince = now;
        this.globalPages.clear();
        this.globalRoots.clear();
        this.reload(now);
    }
  }

  /** A TLB entry for `vpn`, made from a leaf of `order`, is not older than this. */
  pageSince(pcid: number, vpn: number, order: number): number {
    const context = this.context(pcid);
    return Math.max(context.since, context.pages.last(vpn, order));
  }

  /** At time `at`, a paging-structure entry is not older than this. */
  structuresSince(pcid: number, at: number): number {
    const { since, structures } = this.context(pcid);
    let index = structures.length - 1;
    while (index >= 0 && structures[index]! > at) index -= 1;
    return index < 0 ? since : structures[index]!;
  }

  rootsOf(pcid: number): readonly RootTenure[] {
    return this.context(pcid).roots;
  }

  globalPageSince(vpn: number, order: number): number {
    return Math.max(this.globalSince, this.globalPages.last(vpn, order));
  }

  get globalStructuresSince(): number {
    return this.globalSince;
  }

  get rootsOfGlobals(): Iterable<RootTenure> {
    return this.globalRoots.values();
  }

  private context(pcid: number): Context {
    let context = this.contexts.get(pcid);
    if (context === undefined) {
      context = new Context(this.allSince);
      this.contexts.set(pcid, context);
    }
    return context;
  }

  private flush(pcid: number, now: number): void {
    this.context(pcid).flush(now);
    if (pcid === this.cr3?.pcid) this.reload(now);
  }

  private enter({ root, pcid }: Cr3, now: number): void {
    const tenure = { gfn: root as number, end: Infinity };
    if (!this.globalRoots.has(root)) this.globalRoots.set(root, { ...tenure });
    const { roots } = this.context(pcid);
    const last = roots.at(-1);
    if (last?.gfn === root) return;
    if (last !== undefined) last.end = now;
    roots.push(tenure);
  }

  /** The running root may fill caches again at once. */
  private reload(now: number): void {
    if (this.cr3 !== null) this.enter(this.cr3, now);
  }
}
