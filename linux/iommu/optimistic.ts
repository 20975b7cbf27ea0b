/**
 * Optimistic teardown: an unmapped range keeps its entries for a while; mapped again in that time with the same frames and
 * rights, it is there at once, at the same IO pages.
 *
 * Buys: ring drivers, which map what they have just unmapped, store and invalidate nothing. Pays: a device reaches unmapped
 * memory for as long as that.
 *
 * Source: Amit 2011 (vIOMMU, USENIX ATC), section 5 "Optimizing IOMMU Mapping Strategies". The time and the limit: assumed.
 */
import type { DmaClock } from "./clock.ts";
import type { FrameRun } from "./core.ts";
import { type DmaApi, type DmaObserver, type DmaSegment, nobody } from "./dma.ts";
import type { DmaRights } from "./entry-formats.ts";

/** Microseconds that an unmapped range stays, and how many may. */
const staysFor = 10_000;
const staleMax = 256;

interface Mapping {
  readonly key: string;
  readonly runs: readonly FrameRun[];
  readonly rights: DmaRights;
  readonly segments: readonly DmaSegment[];
}

export class OptimisticDma implements DmaApi {
  /** Mappings that were found still there. */
  reused = 0;
  private readonly inner: DmaApi;
  private readonly clock: DmaClock;
  private readonly live = new Map<number, Mapping>();
  /** Torn down in name only, oldest first. */
  private readonly stale = new Set<Mapping>();
  private readonly byKey = new Map<string, Mapping>();
  private told: DmaObserver = nobody;

  constructor(inner: DmaApi, clock: DmaClock) {
    this.inner = inner;
    this.clock = clock;
  }

  get observer(): DmaObserver {
    return this.told;
  }

  set observer(observer: DmaObserver) {
    this.told = observer;
    this.inner.observer = observer;
  }

  map(runs: readonly FrameRun[], rights: DmaRights): readonly DmaSegment[] {
    const key = `${rights} ${runs.map(({ frame, pages }) => `${frame}+${pages}`).join(" ")}`;
    const known = this.byKey.get(key);
    if (known !== undefined) {
      this.forget(known);
      this.reused += 1;
      this.live.set(firstOf(known.segments), known);
      for (const { page } of known.segments) this.told.mapped(page, runs, rights);
      return known.segments;
    }
    const segments = this.inner.map(runs, rights);
    this.live.set(firstOf(segments), { key, runs, rights, segments });
    return segments;
  }

  unmap(segments: readonly DmaSegment[]): void {
    const first = firstOf(segments);
    const mapping = this.live.get(first);
    if (mapping === undefined) return;
    this.live.delete(first);
    for (const { page, pages } of segments) this.told.cleared(page, pages);
    this.stale.add(mapping);
    this.byKey.set(mapping.key, mapping);
    if (this.stale.size > staleMax) this.tearDown(this.oldest());
    this.clock.after(staysFor, () => {
      // Used again meanwhile, it is another teardown's to end.
      if (this.stale.has(mapping)) this.tearDown(mapping);
    });
  }

  private oldest(): Mapping | undefined {
    const [oldest] = this.stale;
    return oldest;
  }

  private forget(mapping: Mapping): void {
    this.stale.delete(mapping);
    if (this.byKey.get(mapping.key) === mapping) this.byKey.delete(mapping.key);
  }

  private tearDown(mapping: Mapping | undefined): void {
    if (mapping === undefined) return;
    this.forget(mapping);
    this.inner.unmap(mapping.segments);
  }
}

const firstOf = (segments: readonly DmaSegment[]) => segments[0]?.page ?? -1;
