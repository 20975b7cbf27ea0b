/**
 * The registry of experiments on missed claims: `npm run validate -- --published --experiments`.
 */
import { agileExperiments } from "./agile.ts";
import type { Experiment } from "./experiment.ts";
import { nodeExperiments } from "./nodes.ts";
import { walkCacheExperiments } from "./walk-caches.ts";

export const experiments: readonly Experiment[] = [
  ...agileExperiments,
  ...nodeExperiments,
  ...walkCacheExperiments,
];
