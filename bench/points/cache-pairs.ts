/**
 * Presets that are one processor with data caches and without: what differs between their results, the caches did.
 */
import { type Preset, presets } from "../../machine/presets.ts";

interface CachePair {
  readonly without: string;
  readonly caches: string;
}

export function cachePairs(): CachePair[] {
  const named = Object.entries<Preset>(presets);
  const plain = named.filter(([, { dataCache }]) => dataCache === null);
  return named
    .filter(([, { dataCache }]) => dataCache !== null)
    .flatMap(([caches, processor]) =>
      plain
        .filter(([, other]) => translationOf(other) === translationOf(processor))
        .map(([without]) => ({ without, caches })),
    );
}

function translationOf(preset: Preset): string {
  return JSON.stringify({ ...preset, title: "", sources: [], dataCache: null });
}
