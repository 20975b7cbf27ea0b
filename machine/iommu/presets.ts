/**
 * IOMMUs as data: the caches of their translation, in the terms of a processor's.
 */
import type { Preset } from "../presets.ts";

const off = { 2: null, 3: null, 4: null, 5: null } as const;

const bare = {
  l1Data: { "4k": null, "2m": null, "1g": null },
  l1Code: { "4k": null, "2m": null },
  stlb: null,
  stlb2m: false,
  stlb1g: null,
  pwc: off,
  nestedPwc: off,
  nestedTlb: null,
  dataCache: null,
  vpid: true,
  pcid: true,
} as const;

const walkCaches = {
  2: { sets: 8, ways: 4 },
  3: { sets: 1, ways: 8 },
  4: { sets: 1, ways: 4 },
  5: { sets: 1, ways: 4 },
} as const;

export const iommuPresets = {
  textbook: {
    ...bare,
    title: "No caches at all: every request walks, every walk costs its closed form",
    sources: ["by definition"],
  },
  "vt-d": {
    ...bare,
    title: "An Intel IOMMU of a server: an IOTLB of 64 entries, paging-structure caches",
    sources: [
      "Neugebauer 2018 (PCIe-bench): the IOTLB of a Xeon reaches 64 pages",
      "assumed: 4-way, one structure for 4 KiB and 2 MiB pages; 4 entries for 1 GiB",
      "assumed: 32 PDE, 8 PDPTE, 4 PML4E entries and as many nested ones; 16 nested TLB entries",
    ],
    stlb: { sets: 16, ways: 4 },
    stlb2m: true,
    stlb1g: { sets: 1, ways: 4 },
    pwc: walkCaches,
    nestedPwc: walkCaches,
    nestedTlb: { sets: 1, ways: 16 },
  },
} as const satisfies Record<string, Preset>;
