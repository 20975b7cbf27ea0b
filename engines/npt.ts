/**
 * NPT (AMD): the same two dimensions as EPT, with x86-64 entries on the nested side.
 *
 * Differs from EPT in rules, not in shape: nested accesses are user accesses, and the walker's reads of guest
 * tables always count as writes.
 *
 * Source: APM vol. 2 15.25 "Nested Paging".
 */
import { noTracker } from "./dirty/tracker.ts";
import { type EngineFactory, titled } from "./engine.ts";
import { createNested } from "./ept.ts";

export const npt: EngineFactory = titled(
  "AMD's two dimensions: nested accesses are user accesses",
  (machine) => createNested(machine, { format: "npt", accessedDirty: true, tracker: noTracker }),
);
