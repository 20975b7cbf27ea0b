/**
 * Where each guest frame must lie, and which version of data it must hold.
 *
 * The host map is the placement, a plain function. A reclaimed frame leaves it: the host may put the page
 * anywhere next, so the first access afterwards names the new frame, which must not belong to another page,
 * and from then on it is fixed again. Nothing is ever asked of the hypervisor.
 *
 * Versions: a checked store advances the stamp of the frame that it reached (`PhysicalMemory.stamps`) and of
 * the page that it should have reached (here). A copy or a new frame that loses a write shows in a later read.
 */
import type { Gfn, Pfn } from "../../machine/address.ts";
import type { PhysicalMemory } from "../../machine/memory.ts";
import type { Placement } from "../../machine/placement.ts";

export class HostFrames {
  /** pfn by gfn; -1 when the host has taken the frame away. */
  readonly pfnOf: Int32Array;
  private readonly gfnOf: Int32Array;
  private readonly versions: Int32Array;
  private readonly memory: PhysicalMemory;
  private lastVersion = 0;
  /** Version of the page that was zeroed last, for a copy of a page onto itself. */
  private zeroedVersion = 0;

  constructor(memory: PhysicalMemory, guestFrames: number, placement: Placement) {
    this.memory = memory;
    this.pfnOf = new Int32Array(guestFrames);
    this.versions = new Int32Array(guestFrames);
    this.gfnOf = new Int32Array(memory.frames).fill(-1);
    for (let gfn = 0; gfn < guestFrames; gfn++) {
      const pfn = placement(gfn as Gfn);
      this.pfnOf[gfn] = pfn;
      this.gfnOf[pfn] = gfn;
      this.versions[gfn] = memory.stamps[pfn]!;
    }
  }

  /** The guest frame that lies in `pfn`, or -1. */
  owner(pfn: Pfn): number {
    return this.gfnOf[pfn] ?? -1;
  }

  /** May `gfn` lie in `pfn`? Fixes a reclaimed page to the frame where it turns up. */
  isAt(gfn: number, pfn: Pfn): boolean {
    if (this.pfnOf[gfn] === pfn) return true;
    if (this.pfnOf[gfn] !== -1 || this.owner(pfn) !== -1) return false;
    this.pfnOf[gfn] = pfn;
    this.gfnOf[pfn] = gfn;
    return true;
  }

  /** The host takes the frame: the page's data is lost, and so is its place. */
  reclaim(gfn: number): void {
    const pfn = this.pfnOf[gfn];
    if (pfn === undefined || pfn === -1) return;
    this.gfnOf[pfn] = -1;
    this.pfnOf[gfn] = -1;
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
    this.zeroedVersion = this.versions[gfn]!;
    this.versions[gfn] = 0;
  }

  /** `to` was announced as zeroed just before: both are stores of a whole page. */
  copied(to: number, from: number): void {
    this.versions[to] = to === from ? this.zeroedVersion : this.versions[from]!;
  }

  holdsLatest(gfn: number, pfn: Pfn): boolean {
    return this.versions[gfn] === this.memory.stamps[pfn];
  }

  /** The version of the page's data that the guest wrote last; 0 for a page of zeros. */
  latest(gfn: number): number {
    return this.versions[gfn]!;
  }
}
