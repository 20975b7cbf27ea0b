/**
 * What a hypervisor can enforce on its guest's memory. A new experiment is its file and a line here.
 */
import { cacheFootprintClaim } from "../policy/cache-footprint.ts";
import { faultTraceClaim } from "../policy/fault-trace.ts";
import { guardedTables } from "../policy/guarded-tables.ts";
import { interferenceClaim } from "../policy/interference.ts";
import { mergeProbeClaim } from "../policy/merge-probe.ts";
import { policedShare } from "../policy/policed-share.ts";
import { remap } from "../policy/remap.ts";
import { shadowStack } from "../policy/shadow-stack.ts";
import { subPages } from "../policy/sub-pages.ts";
import { views } from "../policy/views.ts";
import type { Topic } from "../topic.ts";

export const policy = {
  title: "What shadow paging can enforce and EPT cannot, and at what price",
  experiments: {
    remap,
    views,
    "shadow-stack": shadowStack,
    "sub-pages": subPages,
    "guarded-tables": guardedTables,
    "policed-share": policedShare,
    "fault-trace": faultTraceClaim,
    interference: interferenceClaim,
    "merge-probe": mergeProbeClaim,
    "cache-footprint": cacheFootprintClaim,
  },
} as const satisfies Topic;
