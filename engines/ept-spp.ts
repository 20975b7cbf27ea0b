/**
 * EPT with sub-page write permissions: a lock as fine as 128 bytes.
 *
 * Buys: a store beside a locked line costs no exit, where a page that is locked for one line of it exits at each. Pays: four
 * references and a walk for each store to such a page, because what the permissions allow is not cached; a page of 4 KiB.
 *
 * What a page means the guest's tables say: a remap works against a line's lock as against any other by EPT. A frame with a
 * locked line is no table of the guest's, for A and D bits that silicon sets there ask no permission.
 *
 * Source: SDM vol. 3C 29.3.4 "Sub-Page Write Permissions"; Linux's proposed "EPT-Based Sub-Page Protection" (2020), which
 * writes an entry when a store misses it.
 */
import { noTracker } from "../hypervisor/dirty/tracker.ts";
import type { Engine } from "../hypervisor/engine.ts";
import { LinePermissions } from "../hypervisor/policy/line-permissions.ts";
import { createNested } from "./ept.ts";

export const eptSpp: Engine = {
  title: "EPT with sub-page write permissions",
  family: "nested",
  create(platform, options) {
    const lines = new LinePermissions(platform.memory);
    return createNested(platform, {
      format: "ept-spp",
      accessedDirty: false,
      tracker: noTracker,
      policy: options?.policy,
      subPages: lines.root,
      lines,
    });
  },
};
