/**
 * Fuzzed devices under every scheme, and planted bugs that this finds.
 */
import { afterEach, describe, expect, test, vi } from "vitest";
import { TrackingTable } from "../../linux/iommu/coiommu.ts";
import { Gather } from "../../linux/iommu/core.ts";
import { IntelDomain } from "../../linux/iommu/intel.ts";
import { InvalidationSubmitter } from "../../linux/iommu/invalidation.ts";
import { IoTable } from "../../linux/iommu/io-table.ts";
import { FirstLevelDomain } from "../../linux/iommu/scalable.ts";
import { VirtioDomain } from "../../linux/iommu/virtio.ts";
import { VfioContainer } from "../../linux/iommu/vfio-type1.ts";
import type { Invalidation } from "../../machine/iommu/descriptors.ts";
import { DeviceTlb } from "../../machine/iommu/device-tlb.ts";
import { Iommu } from "../../machine/iommu/iommu.ts";
import { TranslationUnits } from "../../machine/iommu/translation-units.ts";
import { GuestFrames } from "../../viommu/guest-frames.ts";
import { HostPages } from "../../viommu/host-pages.ts";
import { dmaSchemes, type DmaSchemeName } from "../../viommu/index.ts";
import { MappedRanges } from "../../viommu/mapped-ranges.ts";
import { ShadowedDevice } from "../../viommu/shadowed-device.ts";
import { fuzzDma } from "./fuzz.ts";

type Flush = "strict" | "lazy";
const names = Object.keys(dmaSchemes) as DmaSchemeName[];
const both = names.flatMap((name) => [[name, "strict"] as const, [name, "lazy"] as const]);

// Seen failing before one request of coIOMMU could name a page twice.
test.each(both)(
  "%s, %s: every access of ill-behaved devices goes where it may",
  (scheme, flush) => {
    for (const seed of [1, 2, 3]) {
      const { oracle, maps } = fuzzDma({ scheme, flush, seed, operations: 1200, accessesEach: 8 });
      expect(oracle.mismatches).toEqual([]);
      expect(oracle.checked).toBeGreaterThan(300);
      expect(maps).toBeGreaterThan(50);
    }
  },
);

test("what laziness and optimism expose is seen, and strictness exposes nothing", () => {
  const reached = (scheme: DmaSchemeName, flush: Flush) => {
    const seeds = Array.from({ length: 8 }, (_, seed) => seed);
    const runs = seeds.map((seed) =>
      fuzzDma({ scheme, flush, seed, operations: 1200, accessesEach: 8 }),
    );
    return runs.reduce((sum, { oracle }) => sum + oracle.staleReached, 0);
  };
  expect(reached("bare", "strict")).toBe(0);
  expect(reached("bare", "lazy")).toBeGreaterThan(0);
  // Entries themselves stay, not only what was cached.
  expect(reached("optimistic", "strict")).toBeGreaterThan(reached("bare", "lazy"));
});

interface Planted {
  readonly what: string;
  readonly scheme: DmaSchemeName;
  readonly flush?: Flush;
  readonly plant: () => void;
}

const planted: readonly Planted[] = [
  {
    what: "no invalidation at map under caching mode",
    scheme: "shadow-cm",
    plant: () => vi.spyOn(IntelDomain.prototype, "syncMap").mockReturnValue(),
  },
  {
    what: "unmap returns before the IOTLB is invalidated",
    scheme: "bare",
    plant: () => vi.spyOn(IntelDomain.prototype, "sync").mockReturnValue(),
  },
  {
    what: "an invalidation does not wait for requests on their way",
    scheme: "bare",
    plant() {
      const { write } = Iommu.prototype;
      vi.spyOn(Iommu.prototype, "write").mockImplementation(function (this: Iommu, ...words) {
        const drain = this.onDrain;
        this.onDrain = () => undefined;
        write.apply(this, words);
        this.onDrain = drain;
      });
    },
  },
  {
    what: "the TLB in a device is emptied before the IOTLB, and the device asks again at once",
    scheme: "bare",
    plant() {
      const { submit } = InvalidationSubmitter.prototype;
      const { invalidate } = DeviceTlb.prototype;
      const held: Invalidation[] = [];
      vi.spyOn(InvalidationSubmitter.prototype, "submit").mockImplementation(function (
        this: InvalidationSubmitter,
        ...what: readonly Invalidation[]
      ) {
        // The order that the driver means, the other way round.
        if (what[0]?.kind === "iotlb" && what[0].scope === "page") {
          held.push(...what);
          return;
        }
        submit.call(this, ...what);
        submit.call(this, ...held.splice(0));
      });
      vi.spyOn(DeviceTlb.prototype, "invalidate").mockImplementation(function (
        this: DeviceTlb,
        page,
        mask,
      ) {
        invalidate.call(this, page, mask);
        if (mask < 10) for (let i = 0; i < 2 ** mask; i++) this.access(page + i, "read");
      });
    },
  },
  {
    what: "the TLB in a device is forgotten",
    scheme: "shadow-cm",
    plant: () => vi.spyOn(DeviceTlb.prototype, "invalidate").mockReturnValue(),
  },
  {
    what: "the flush queue gives ranges back without a flush",
    scheme: "bare",
    flush: "lazy",
    plant: () => vi.spyOn(IntelDomain.prototype, "flushAll").mockReturnValue(),
  },
  {
    what: "a domain's flush does only half of the domain",
    scheme: "bare",
    flush: "lazy",
    plant() {
      const { invalidate } = TranslationUnits.prototype;
      vi.spyOn(TranslationUnits.prototype, "invalidate").mockImplementation(function (
        this: TranslationUnits,
        what,
      ) {
        const isWhole = what.kind === "iotlb" && what.scope === "domain";
        // IO pages come from the top: what is above lies in the other half.
        const half = { page: 0, mask: 9, scope: "page", leavesOnly: false } as const;
        invalidate.call(this, isWhole ? { ...what, ...half } : what);
      });
    },
  },
  {
    what: "a table that a large leaf replaces is not told",
    scheme: "bare",
    plant() {
      const { map } = IoTable.prototype;
      vi.spyOn(IoTable.prototype, "map").mockImplementation(function (this: IoTable, mapping) {
        map.call(this, mapping, () => undefined);
      });
    },
  },
  {
    what: "a range is invalidated by half of its mask",
    scheme: "bare",
    plant() {
      const { submit } = InvalidationSubmitter.prototype;
      vi.spyOn(InvalidationSubmitter.prototype, "submit").mockImplementation(function (
        this: InvalidationSubmitter,
        ...what: readonly Invalidation[]
      ) {
        const shorter = what.map((one) =>
          one.kind === "iotlb" && one.mask > 0 ? { ...one, mask: one.mask - 1 } : one,
        );
        submit.call(this, ...shorter);
      });
    },
  },
  {
    what: "the hint that only leaves changed is given when tables went",
    scheme: "bare",
    plant() {
      const { submit } = InvalidationSubmitter.prototype;
      vi.spyOn(InvalidationSubmitter.prototype, "submit").mockImplementation(function (
        this: InvalidationSubmitter,
        ...what: readonly Invalidation[]
      ) {
        const hinted = what.map((one) =>
          one.kind === "iotlb" ? { ...one, leavesOnly: true } : one,
        );
        submit.call(this, ...hinted);
      });
    },
  },
  {
    what: "a pinned page is moved",
    scheme: "shadow-cm",
    plant: () => vi.spyOn(HostPages.prototype, "isPinned").mockReturnValue(false),
  },
  {
    what: "the hypervisor forgets that it has unmapped",
    scheme: "shadow-cm",
    plant: () => vi.spyOn(MappedRanges.prototype, "remove").mockReturnValue(),
  },
  {
    what: "of a range that is invalidated, the hypervisor leaves out the last page",
    scheme: "shadow-cm",
    plant() {
      const { rangeInvalidated } = ShadowedDevice.prototype;
      vi.spyOn(ShadowedDevice.prototype, "rangeInvalidated").mockImplementation(function (
        this: ShadowedDevice,
        context,
        page,
        pages,
      ) {
        rangeInvalidated.call(this, context, page, Math.max(1, pages - 1));
      });
    },
  },
  {
    what: "one in 50 trapped stores is not mirrored",
    scheme: "shadow-wp",
    plant() {
      const { write } = GuestFrames.prototype;
      let stores = 0;
      vi.spyOn(GuestFrames.prototype, "write").mockImplementation(function (
        this: GuestFrames,
        ...words
      ) {
        stores += 1;
        const hear = this.onTrappedStore;
        if (stores % 50 === 0) this.onTrappedStore = () => undefined;
        write.apply(this, words);
        this.onTrappedStore = hear;
      });
    },
  },
  {
    what: "the guest's invalidations are not forwarded to nested hardware",
    scheme: "nested",
    plant: () => vi.spyOn(FirstLevelDomain.prototype, "sync").mockReturnValue(),
  },
  {
    what: "an unmap request is dropped",
    scheme: "virtio",
    plant: () =>
      vi.spyOn(VirtioDomain.prototype, "unmap").mockImplementation((_page, pages) => pages),
  },
  {
    what: "coIOMMU unpins what is mapped",
    scheme: "coiommu",
    plant() {
      const { read } = TrackingTable.prototype;
      vi.spyOn(TrackingTable.prototype, "read").mockImplementation(function (
        this: TrackingTable,
        gfn,
      ) {
        const entry = read.call(this, gfn);
        return { ...entry, count: Math.min(entry.count, 1), isAccessed: false };
      });
    },
  },
  {
    what: "VFIO unmaps and unpins, but leaves the IOTLB as it is",
    scheme: "shadow-pri",
    plant: () => vi.spyOn(Gather.prototype, "sync").mockReturnValue(),
  },
  {
    what: "VFIO does not unmap",
    scheme: "shadow-pri",
    plant: () => vi.spyOn(VfioContainer.prototype, "unmap").mockReturnValue(),
  },
];

/** What the fuzzer finds first, under up to 40 seeds: a mismatch, or an assertion of ours. */
function firstFound(scheme: DmaSchemeName, flush: Flush): string | null {
  for (let seed = 1; seed <= 40; seed++) {
    try {
      const { oracle } = fuzzDma({ scheme, flush, seed, operations: 2000, accessesEach: 8 });
      const [first] = oracle.mismatches;
      if (first !== undefined) return first.kind;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }
  return null;
}

describe("planted bugs are found", () => {
  afterEach(() => void vi.restoreAllMocks());

  test.each(planted)("$scheme: $what", ({ scheme, flush = "strict", plant }) => {
    plant();
    const found = firstFound(scheme, flush);
    expect(found).toMatch(/^(?:lost|stale|foreign|bug: )/);
  });
});
