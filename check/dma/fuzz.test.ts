/**
 * Fuzzed devices under every scheme, and planted bugs that this finds.
 */
import { afterEach, describe, expect, test } from "vitest";
import { AmdDomain, AmdIommu } from "../../linux/iommu/amd.ts";
import { AmdTable, type AmdTableHooks } from "../../linux/iommu/amd-table.ts";
import { TrackingTable } from "../../linux/iommu/coiommu.ts";
import { Gather } from "../../linux/iommu/core.ts";
import { IntelDomain } from "../../linux/iommu/intel.ts";
import { InvalidationSubmitter } from "../../linux/iommu/invalidation.ts";
import { IoTable } from "../../linux/iommu/io-table.ts";
import { FirstLevelDomain } from "../../linux/iommu/scalable.ts";
import { VirtioDomain } from "../../linux/iommu/virtio.ts";
import { VfioContainer } from "../../linux/iommu/vfio-type1.ts";
import type { AmdCommand } from "../../machine/iommu/amd/commands.ts";
import { AmdWalker } from "../../machine/iommu/amd/walker.ts";
import type { Invalidation } from "../../machine/iommu/descriptors.ts";
import { DeviceTlb } from "../../machine/iommu/device-tlb.ts";
import { Iommu } from "../../machine/iommu/iommu.ts";
import { Riommu } from "../../machine/iommu/riommu.ts";
import { TranslationUnits } from "../../machine/iommu/translation-units.ts";
import { GuestFrames } from "../../viommu/guest-frames.ts";
import { HostPages } from "../../viommu/host-pages.ts";
import { dmaSchemes, type DmaSchemeName } from "../../viommu/index.ts";
import { MappedRanges } from "../../viommu/mapped-ranges.ts";
import { ShadowedDevice } from "../../viommu/shadowed-device.ts";
import { fuzzDma } from "./fuzz-alone.ts";
import { Planting } from "./planting.ts";

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

const planting = new Planting();
const around: Planting["around"] = (...what) => planting.around(...what);

const nothing = () => undefined;

/** A device that wants back at once what it was told to forget. */
const askAgainAtOnce = () =>
  around(DeviceTlb.prototype, "invalidate", (self, invalidate, page, mask) => {
    invalidate(page, mask);
    if (mask < 10) for (let i = 0; i < 2 ** mask; i++) self.access(page + i, "read");
  });

const planted: readonly Planted[] = [
  {
    what: "no invalidation at map under caching mode",
    scheme: "shadow-cm",
    plant: () => around(IntelDomain.prototype, "syncMap", nothing),
  },
  {
    what: "unmap returns before the IOTLB is invalidated",
    scheme: "bare",
    plant: () => around(IntelDomain.prototype, "sync", nothing),
  },
  {
    what: "an invalidation does not wait for requests on their way",
    scheme: "bare",
    plant: () =>
      around(Iommu.prototype, "write", (self, write, ...words) => {
        const drain = self.onDrain;
        self.onDrain = nothing;
        write(...words);
        self.onDrain = drain;
      }),
  },
  {
    what: "the TLB in a device is emptied before the IOTLB, and the device asks again at once",
    scheme: "bare",
    plant() {
      const held: Invalidation[] = [];
      around(InvalidationSubmitter.prototype, "submit", (_self, submit, ...what) => {
        // The order that the driver means, the other way round.
        if (what[0]?.kind === "iotlb" && what[0].scope === "page") {
          held.push(...what);
          return;
        }
        submit(...what);
        submit(...held.splice(0));
      });
      askAgainAtOnce();
    },
  },
  {
    what: "the TLB in a device is forgotten",
    scheme: "shadow-cm",
    plant: () => around(DeviceTlb.prototype, "invalidate", nothing),
  },
  {
    what: "the flush queue gives ranges back without a flush",
    scheme: "bare",
    flush: "lazy",
    plant: () => around(IntelDomain.prototype, "flushAll", nothing),
  },
  {
    what: "a domain's flush does only a part of the domain",
    scheme: "bare",
    flush: "lazy",
    plant: () =>
      around(TranslationUnits.prototype, "invalidate", (_self, invalidate, what) => {
        const isWhole = what.kind === "iotlb" && what.scope === "domain";
        // IO pages come from the top: what is above lies in the other part.
        const part = { page: 0, mask: 9, scope: "page", leavesOnly: false } as const;
        invalidate(isWhole ? { ...what, ...part } : what);
      }),
  },
  {
    what: "a table that a large leaf replaces is not told",
    scheme: "bare",
    plant: () => around(IoTable.prototype, "map", (_self, map, mapping) => map(mapping, nothing)),
  },
  {
    what: "a range is invalidated by half of its mask",
    scheme: "bare",
    plant: () =>
      around(InvalidationSubmitter.prototype, "submit", (_self, submit, ...what) => {
        const shorter = what.map((one) =>
          one.kind === "iotlb" && one.mask > 0 ? { ...one, mask: one.mask - 1 } : one,
        );
        submit(...shorter);
      }),
  },
  {
    what: "the hint that only leaves changed is given when tables went",
    scheme: "bare",
    plant: () =>
      around(InvalidationSubmitter.prototype, "submit", (_self, submit, ...what) => {
        submit(...what.map((one) => (one.kind === "iotlb" ? { ...one, leavesOnly: true } : one)));
      }),
  },
  {
    what: "a ring's burst ends without an invalidation",
    scheme: "riommu",
    plant: () => around(Riommu.prototype, "invalidate", nothing),
  },
  {
    what: "AMD's driver does not wait for its commands",
    scheme: "amd",
    plant: () => around(AmdIommu.prototype, "wait", nothing),
  },
  {
    what: "of a range of AMD's, the walker forgets the first page",
    scheme: "amd",
    plant: () =>
      around(AmdWalker.prototype, "invalidate", (_self, invalidate, what) =>
        invalidate({ ...what, order: 0 }),
      ),
  },
  {
    what: "AMD's walker keeps what it knows of tables, whatever a command says",
    scheme: "amd",
    plant: () =>
      around(AmdWalker.prototype, "invalidate", (_self, invalidate, what) =>
        invalidate({ ...what, tables: false }),
      ),
  },
  {
    what: "AMD's driver does not say that a large page has replaced tables",
    scheme: "amd",
    plant: () =>
      around(AmdTable.prototype, "map", (self, map, mapping) => {
        const { hooks } = self as unknown as { hooks: AmdTableHooks };
        Object.assign(hooks, { replaced: nothing });
        map(mapping);
      }),
  },
  {
    what: "AMD's flush queue gives ranges back without a flush",
    scheme: "amd",
    flush: "lazy",
    plant: () => around(AmdDomain.prototype, "flushAll", nothing),
  },
  {
    what: "of a range that is unmapped, AMD's driver clears the first leaf",
    scheme: "amd",
    plant: () =>
      around(AmdTable.prototype, "clear", (_self, clear, page, pages) => {
        clear(page, 1);
        return pages;
      }),
  },
  {
    what: "AMD's driver does not tell the TLBs in devices",
    scheme: "amd",
    plant: () =>
      around(AmdIommu.prototype, "command", (_self, command, what) => {
        if (what.kind !== "device-tlb") command(what);
      }),
  },
  {
    what: "AMD's driver tells the TLB in a device before the IOTLB, and the device asks again at once",
    scheme: "amd",
    plant() {
      const held: AmdCommand[] = [];
      around(AmdIommu.prototype, "command", (_self, command, what) => {
        if (what.kind === "pages") {
          held.push(what);
          return;
        }
        if (what.kind === "wait") for (const one of held.splice(0)) command(one);
        command(what);
      });
      askAgainAtOnce();
    },
  },
  {
    what: "of a range in a device behind AMD's IOMMU the first page is forgotten",
    scheme: "shadow-np",
    plant: () =>
      around(DeviceTlb.prototype, "invalidate", (_self, invalidate, page) => invalidate(page, 0)),
  },
  {
    what: "no command at map under NpCache",
    scheme: "shadow-np",
    plant: () => around(AmdDomain.prototype, "syncMap", nothing),
  },
  {
    what: "of each range that is invalidated, the hypervisor leaves out the last page of AMD's",
    scheme: "shadow-np",
    plant: () =>
      around(ShadowedDevice.prototype, "rangeInvalidated", (_self, walk, context, page, pages) =>
        walk(context, page, Math.max(1, pages - 1)),
      ),
  },
  {
    what: "a pinned page is moved",
    scheme: "shadow-cm",
    plant: () => around(HostPages.prototype, "isPinned", () => false),
  },
  {
    what: "the hypervisor forgets that it has unmapped",
    scheme: "shadow-cm",
    plant: () => around(MappedRanges.prototype, "remove", nothing),
  },
  {
    what: "of a range that is invalidated, the hypervisor leaves out the last page",
    scheme: "shadow-cm",
    plant: () =>
      around(ShadowedDevice.prototype, "rangeInvalidated", (_self, walk, context, page, pages) =>
        walk(context, page, Math.max(1, pages - 1)),
      ),
  },
  {
    what: "one in 50 trapped stores is not mirrored",
    scheme: "shadow-wp",
    plant() {
      let stores = 0;
      around(GuestFrames.prototype, "write", (self, write, ...words) => {
        stores += 1;
        const hear = self.onTrappedStore;
        if (stores % 50 === 0) self.onTrappedStore = nothing;
        write(...words);
        self.onTrappedStore = hear;
      });
    },
  },
  {
    what: "the guest's invalidations do not come to nested hardware",
    scheme: "nested",
    plant: () => around(FirstLevelDomain.prototype, "sync", nothing),
  },
  {
    what: "an unmap request is dropped",
    scheme: "virtio",
    plant: () => around(VirtioDomain.prototype, "unmap", (_self, _unmap, _page, pages) => pages),
  },
  {
    what: "coIOMMU unpins what is mapped",
    scheme: "coiommu",
    plant: () =>
      around(TrackingTable.prototype, "read", (_self, read, gfn) => {
        const entry = read(gfn);
        return { ...entry, count: Math.min(entry.count, 1), isAccessed: false };
      }),
  },
  {
    what: "VFIO unmaps and unpins, but leaves the IOTLB as it is",
    scheme: "shadow-pri",
    plant: () => around(Gather.prototype, "sync", nothing),
  },
  {
    what: "VFIO does not unmap",
    scheme: "shadow-pri",
    plant: () => around(VfioContainer.prototype, "unmap", nothing),
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
  afterEach(() => planting.end());

  test.each(planted)("$scheme: $what", ({ scheme, flush = "strict", plant }) => {
    plant();
    const found = firstFound(scheme, flush);
    expect(found).toMatch(/^(?:lost|stale|foreign|bug: )/);
  });
});
