/**
 * ASAP's walk latencies, which are simulated with every last nested walk from its root.
 */
import { keyValue } from "../../../workloads/key-value.ts";
import { cyclesPerWalk, latency } from "../claims/effective-references.ts";
import type { Stage } from "../stage.ts";
import type { Experiment } from "./experiment.ts";

const change = "no nested TLB and no nested walk caches";
const bare = "skylake-sp-caches, nothing nested kept";

function server(stage: Stage, engine: "ept" | "native"): number {
  const params = { pages: 65_536, requests: 12_000 };
  return cyclesPerWalk(stage.run({ program: keyValue, params, engine, host: bare }));
}

export const walkCacheExperiments: readonly Experiment[] = [
  {
    claim: "walk latency, virtualized / native",
    change,
    simulate: (stage) => latency(stage, "ept", bare) / latency(stage, "native", bare),
  },
  {
    claim: "walk latency, memcached, virtualized / native",
    change,
    simulate: (stage) => server(stage, "ept") / server(stage, "native"),
  },
];
