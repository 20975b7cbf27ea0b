/** The registry of scenarios for devices: a new one is its file and a line here. */
import type { DmaScenario } from "./scenario.ts";
import { accessedDirty } from "./scenarios/accessed-dirty.ts";
import { busContinuity } from "./scenarios/bus-continuity.ts";
import { deviceTlb } from "./scenarios/device-tlb.ts";
import { dirtyTracking } from "./scenarios/dirty-tracking.ts";
import { domains } from "./scenarios/domains.ts";
import { hiddenPages } from "./scenarios/hidden-pages.ts";
import { msix, remapping } from "./scenarios/interrupts.ts";
import { ioCache } from "./scenarios/io-cache.ts";
import { largePages } from "./scenarios/large-pages.ts";
import { lazyConstruction } from "./scenarios/lazy-construction.ts";
import { leafReplaced } from "./scenarios/leaf-replaced.ts";
import { mirroring } from "./scenarios/mirroring.ts";
import { pinnedPages } from "./scenarios/pinned-pages.ts";
import { prefetch } from "./scenarios/prefetch.ts";
import { rootChange } from "./scenarios/root-change.ts";
import { selfMapping } from "./scenarios/self-mapping.ts";
import { separateViews } from "./scenarios/separate-views.ts";
import { stableSnapshot } from "./scenarios/stable-snapshot.ts";
import { writeProtection } from "./scenarios/write-protection.ts";

export const dmaScenarios = {
  mirroring,
  "write-protection": writeProtection,
  "hidden-pages": hiddenPages,
  "accessed-dirty": accessedDirty,
  "root-change": rootChange,
  "leaf-replaced": leafReplaced,
  "device-tlb": deviceTlb,
  "stable-snapshot": stableSnapshot,
  "self-mapping": selfMapping,
  "bus-continuity": busContinuity,
  "separate-views": separateViews,
  "lazy-construction": lazyConstruction,
  "io-cache": ioCache,
  msix,
  remapping,
  "large-pages": largePages,
  "dirty-tracking": dirtyTracking,
  "pinned-pages": pinnedPages,
  prefetch,
  domains,
} as const satisfies Record<string, DmaScenario>;
