/**
 * Flattened nested tables: pairs of levels merged into tables of 2 MiB.
 *
 * Buys: a nested walk of 2 references, 14 in all, 24 before. Pays: 2 MiB of contiguous memory per table; where there is
 * none, or where large pages are mapped, a table of one level as before.
 *
 * Source: Park et al., "Every Walk's a Hit: Making Page Walks Single-Access Cache Hits" (ASPLOS 2022), section 4.
 *
 * Model: zeroing a table of 2 MiB costs what zeroing one of 4 KiB does, nothing. Bias: for EPT, by its flattened tables.
 */
import { noTracker } from "../hypervisor/dirty/tracker.ts";
import type { Engine } from "../hypervisor/engine.ts";
import { createNested } from "./ept.ts";
import { flattenedTables } from "./nested/layouts.ts";

export const eptFolded: Engine = {
  title: "EPT with flattened tables of 2 MiB: at most 14 references",
  family: "nested",
  create: (platform) =>
    createNested(platform, {
      format: "ept",
      accessedDirty: true,
      tracker: noTracker,
      layout: flattenedTables,
    }),
};
