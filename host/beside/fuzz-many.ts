/**
 * Many fuzzed guests with devices: `shadewalk dma --fuzz --beside`.
 */
import { type BesideScheme } from "./computer-beside.ts";
import { besideEngines, type BesideOutcome, fuzzBeside } from "./fuzz-beside.ts";

export interface FuzzedBeside extends Omit<BesideOutcome, "problem" | "migrated" | "vcpus"> {
  readonly scheme: BesideScheme;
  readonly flush: "strict" | "lazy";
  readonly seeds: number;
  /** Guests that have moved. */
  readonly migrations: number;
  /** Guests with several processors. */
  readonly severalVcpus: number;
  /** What went wrong first, with its engine and seed; null if nothing did. */
  readonly wrong: string | null;
}

const nothing = {
  deviceAccesses: 0,
  cpuAccesses: 0,
  maps: 0,
  staleReached: 0,
  hostEvents: 0,
  migrations: 0,
  severalVcpus: 0,
  shootdowns: 0,
};
const operations = 500;
const accessesEach = 64;

/** Both ways to flush, `seeds` seeds each from `seed` on, other ones for each scheme; a seed decides the engine. */
export function* fuzzManyBeside(options: {
  readonly schemes: readonly BesideScheme[];
  readonly seed: number;
  readonly seeds: number;
}): Iterable<FuzzedBeside> {
  for (const [i, scheme] of options.schemes.entries()) {
    for (const flush of ["strict", "lazy"] as const) {
      const sum = { ...nothing };
      let wrong: string | null = null;
      const start = options.seed + i * options.seeds;
      for (let seed = start; seed < start + options.seeds && wrong === null; seed++) {
        const engine = besideEngines[seed % besideEngines.length] ?? "";
        const one = fuzzBeside({ scheme, engine, flush, seed, operations, accessesEach });
        sum.deviceAccesses += one.deviceAccesses;
        sum.cpuAccesses += one.cpuAccesses;
        sum.maps += one.maps;
        sum.staleReached += one.staleReached;
        sum.hostEvents += one.hostEvents;
        sum.shootdowns += one.shootdowns;
        sum.severalVcpus += one.vcpus > 1 ? 1 : 0;
        sum.migrations += one.migrated ? 1 : 0;
        if (one.problem !== null) wrong = `${one.problem}, ${engine}, seed ${seed}`;
      }
      yield { scheme, flush, seeds: options.seeds, ...sum, wrong };
    }
  }
}
