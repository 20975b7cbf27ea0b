/**
 * NPT (AMD): the same two dimensions as EPT, with x86-64 entries on the nested side.
 *
 * Differs from EPT in rules, not in shape: nested accesses are user accesses, and the walker's reads of guest
 * tables always count as writes.
 *
 * Source: APM vol. 2 15.25 "Nested Paging".
 */
import { noTracker } from "../hypervisor/dirty/tracker.ts";
import type { Engine } from "../hypervisor/engine.ts";
import { createNested } from "./ept.ts";

export const npt: Engine = {
  title: "AMD's two dimensions: nested accesses are user accesses",
  family: "nested",
  placesTables: true,
  create: (platform) =>
    createNested(platform, { format: "npt", accessedDirty: true, tracker: noTracker }),
};
