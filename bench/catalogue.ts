/**
 * What can be named: engines, workloads with their parameters, presets. Derived from the registries.
 */
import { engines } from "../engines/index.ts";
import { presets } from "../machine/presets.ts";
import { workloads } from "../workloads/index.ts";
import type { Catalogue } from "./sweep.ts";

export const catalogue: Catalogue = {
  engines: Object.keys(engines),
  presets,
  workloads,
};
