/**
 * A guest's devices: what each way to translate their DMA costs. A new experiment is its file and a line here.
 */
import type { DmaTopic } from "../devices/experiment.ts";
import { everyScheme } from "../devices/every-scheme.ts";
import { devicesLargePages } from "../devices/large-pages.ts";
import { mergedDomains } from "../devices/merged-domains.ts";
import { pinnedOverTime } from "../devices/pinned-over-time.ts";
import { priceOfStrict } from "../devices/price-of-strict.ts";
import { protectionOrCachingMode } from "../devices/protection-or-caching-mode.ts";
import { shadowOrNested } from "../devices/shadow-or-nested.ts";

export const devices = {
  title: "What translating a device's DMA costs a guest",
  devices: {
    "shadow-or-nested": shadowOrNested,
    "protection-or-caching-mode": protectionOrCachingMode,
    "price-of-strict": priceOfStrict,
    "large-pages": devicesLargePages,
    "merged-domains": mergedDomains,
    "pinned-over-time": pinnedOverTime,
    "every-scheme": everyScheme,
  },
} as const satisfies DmaTopic;
