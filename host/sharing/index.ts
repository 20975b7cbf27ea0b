/** The registry of sharing scenarios: a new one is its file and a line here. */
import type { Scenario } from "./scenario.ts";
import { balloon } from "./scenarios/balloon.ts";
import { clone } from "./scenarios/clone.ts";
import { merge, mergeHidden } from "./scenarios/merge.ts";
import { overcommit } from "./scenarios/overcommit.ts";
import { snapshot } from "./scenarios/snapshot.ts";

export const scenarios = {
  snapshot,
  clone,
  merge,
  "merge-hidden": mergeHidden,
  overcommit,
  balloon,
} as const satisfies Record<string, Scenario>;
