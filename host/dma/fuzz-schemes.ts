/**
 * Fuzzed devices under several schemes: `shadewalk dma --fuzz`.
 */
import { fuzzDma } from "../../check/dma/fuzz-alone.ts";
import type { DmaMismatch } from "../../check/dma/oracle.ts";
import type { DmaSchemeName } from "./catalogue.ts";

export interface FuzzedScheme {
  readonly scheme: DmaSchemeName;
  readonly flush: "strict" | "lazy";
  readonly seeds: number;
  readonly maps: number;
  /** Accesses judged, those refused, those that reached what was unmapped and not yet flushed. */
  readonly checked: number;
  readonly refused: number;
  readonly staleReached: number;
  /** What went wrong, with its seed. */
  readonly wrong: readonly (DmaMismatch & { readonly seed: number })[];
}

const operations = 6000;
const accessesEach = 64;

/** Both ways to flush, `seeds` seeds each from `seed` on. */
export function* fuzzSchemes(options: {
  readonly schemes: readonly DmaSchemeName[];
  readonly seed: number;
  readonly seeds: number;
}): Iterable<FuzzedScheme> {
  for (const scheme of options.schemes) {
    for (const flush of ["strict", "lazy"] as const) {
      const sum = { maps: 0, checked: 0, refused: 0, staleReached: 0 };
      const wrong: (DmaMismatch & { readonly seed: number })[] = [];
      for (let seed = options.seed; seed < options.seed + options.seeds; seed++) {
        const { oracle, maps } = fuzzDma({ scheme, flush, seed, operations, accessesEach });
        sum.maps += maps;
        sum.checked += oracle.checked;
        sum.refused += oracle.refused;
        sum.staleReached += oracle.staleReached;
        wrong.push(...oracle.mismatches.map((one) => ({ ...one, seed })));
      }
      yield { scheme, flush, seeds: options.seeds, ...sum, wrong };
    }
  }
}
