/**
 * Engines of other machines than x86-64's: the guest's own tables through a second stage of the hypervisor's, as under EPT.
 */
import { noTracker } from "../hypervisor/dirty/tracker.ts";
import type { Engine } from "../hypervisor/engine.ts";
import type { Isa } from "../machine/isa/isa.ts";
import { createNested } from "./ept.ts";
import type { NestedScheme } from "./nested/scheme.ts";

/** `format`: entries of the second stage. Where the ISA leaves A and D to software, the hypervisor sets both when it maps. */
export function twoStageEngine(isa: Isa, format: NestedScheme["format"], title: string): Engine {
  const accessedDirty = isa.marks === "silicon";
  return {
    title,
    family: "nested",
    isa,
    create: (platform) =>
      createNested(platform, { format, accessedDirty, isa, tracker: noTracker }),
  };
}
