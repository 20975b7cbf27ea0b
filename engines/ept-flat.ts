/**
 * A flat nested table: one array with an entry for every guest frame, in place of a tree.
 *
 * Buys: one reference per guest table and one for the page, 8 in all with the guest's root kept, 24 before. Pays: 8 bytes
 * for every frame of the guest, contiguous and there from the start, and no large leaf.
 *
 * Source: Ahn, Jin, Huh, "Revisiting Hardware-Assisted Page Walks for Virtualized Systems" (ISCA 2012), section 3.
 *
 * Model: its speculative inverted shadow is left out, so no walk is hidden behind a guess. Bias: for shadow, whose
 * walks are as short without it.
 */
import { noTracker } from "../hypervisor/dirty/tracker.ts";
import type { Engine } from "../hypervisor/engine.ts";
import { createNested } from "./ept.ts";
import { flatTable } from "./nested/layouts.ts";

export const eptFlat: Engine = {
  title: "EPT as one flat array, root kept: 8 references",
  family: "nested",
  create: (platform) =>
    createNested(platform, {
      format: "ept",
      accessedDirty: true,
      tracker: noTracker,
      layout: flatTable,
    }),
};
