/**
 * How fast each processor's clock is: what turns priced cycles into time on a wire.
 */
import { assert } from "../../machine/assert.ts";
import type { costPresets } from "../../bench/costs/cost-file.ts";

interface Clock {
  readonly gigahertz: number;
  readonly source: string;
}

/** By cost file. Each is the base clock of a part of that generation. */
const clocks = {
  "p4-vtx": { gigahertz: 3.8, source: "Intel Pentium 4 672, the first part with VT-x: 3.8 GHz" },
  core2: { gigahertz: 2.66, source: "Intel Core 2 Duo E6750: 2.66 GHz" },
  nehalem: { gigahertz: 2.93, source: "Intel Xeon X5570: 2.93 GHz" },
  "skylake-sp": { gigahertz: 2.1, source: "Intel Xeon Platinum 8160: 2.1 GHz base" },
  "cascade-lake": { gigahertz: 2.5, source: "PV23-006: Xeon Platinum 8269CY, 2.5 GHz" },
  zen2: { gigahertz: 2.25, source: "AMD EPYC 7742: 2.25 GHz base" },
} as const satisfies Record<(typeof costPresets)[number], Clock>;

/** GHz of the processors that a shipped cost file prices. */
export function clockOf(cost: string): number {
  const known: Readonly<Record<string, Clock>> = clocks;
  const clock = known[cost];
  assert(clock !== undefined, `migration: no clock for cost file ${cost}`);
  return clock.gigahertz;
}
