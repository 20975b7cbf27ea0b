/**
 * ASAP's walk latency, simulated with every last nested walk from its root: what if no nested walk were cached?
 */
import { latency } from "../claims/effective-references.ts";
import type { Experiment } from "./experiment.ts";

const change = "no nested TLB and no nested walk caches";
const bare = "skylake-sp-caches, nothing nested kept";

export const walkCacheExperiments: readonly Experiment[] = [
  {
    claim: "walk latency, virtualized / native",
    change,
    simulate: (stage) => latency(stage, "ept", bare) / latency(stage, "native", bare),
  },
];
