/**
 * The oracle of DMA beside a guest that runs: a device's store is a new version of the page's data, which the processor must
 * see, and its load must find what was stored last, by whomever.
 *
 * Where pages lie it has from the oracle of the guest's accesses, not from who pins them.
 */
import type { Pfn } from "../../machine/address.ts";
import type { DmaKind } from "../../machine/iommu/iommu.ts";
import type { Oracle } from "../oracle/oracle.ts";
import { DmaOracle } from "./oracle.ts";

export class BesideOracle extends DmaOracle {
  /** Told of each page that a device stored to, as the device names it. */
  onStored: (source: number, page: number) => void = () => undefined;
  private readonly guest: Oracle;

  constructor(guest: Oracle, protects: "page" | "guest") {
    const { pfnOf } = guest.frames;
    super({ frames: pfnOf.length, place: (gfn) => pfnOf[gfn] ?? -1 }, protects);
    this.guest = guest;
  }

  override accessed(source: number, page: number, access: DmaKind, pfn: number | null): void {
    super.accessed(source, page, access, pfn);
    if (pfn === null) return;
    const { frames, sharing } = this.guest;
    const frame = pfn as Pfn;
    const gfn = frames.owner(frame);
    const isLatest = gfn >= 0 && frames.holdsLatest(gfn, frame);
    if (!isLatest || (access === "write" && !sharing.mayStore(frame))) {
      this.report("data", source, page, access, pfn);
    }
    if (access === "read" || gfn < 0) return;
    frames.advance(gfn, frame);
    this.onStored(source, page);
  }
}
