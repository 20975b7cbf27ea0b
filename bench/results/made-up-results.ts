/**
 * Made-up point results, for the tests of pricing and of result files; nothing here ran.
 */
import {
  counterNames,
  createLedger,
  type Ledger,
  type PointKey,
  type PointResult,
} from "./result.ts";

/** Counter n is `factor * (n + 1)`: all different, so that a swapped column shows. */
function madeUpLedger(factor: number): Ledger {
  const ledger = createLedger();
  for (const [index, name] of counterNames.entries()) ledger[name] = factor * (index + 1);
  return ledger;
}

export function madeUpResult(key: Partial<PointKey>, factor = 1): PointResult {
  return {
    key: {
      id: 0,
      engine: "ept",
      workload: "uniform",
      params: { accesses: 1000, order: "random", pages: 64 },
      preset: "skylake-sp",
      backing: "4k",
      guestLevels: 4,
      nestedLevels: 4,
      seed: 1,
      ...key,
    },
    regions: {
      setup: { ledger: madeUpLedger(factor), walkLengths: [0, 0, 3] },
      measured: { ledger: madeUpLedger(2 * factor), walkLengths: [0, 5, 0, 0, 7] },
    },
    computeCyclesPerOp: 1.5,
    checksum: 4_294_967_295,
    label: "",
  };
}
