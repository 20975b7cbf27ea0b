/** The registry of claims: a group is its file and a line here. */
import type { Claim } from "../claim.ts";
import { adamsAgesen } from "./adams-agesen.ts";
import { agileClaims } from "./agile.ts";
import { agileRankings } from "./agile-rankings.ts";
import { agileWinner } from "./agile-winner.ts";
import { bigMemory } from "./big-memory.ts";
import { dirtyAndSync } from "./dirty-and-sync.ts";
import { effectiveReferences } from "./effective-references.ts";
import { iommuRankings } from "./iommu.ts";
import { kernelBuild } from "./kernel-build.ts";
import { lmbench } from "./lmbench.ts";
import { nested } from "./nested.ts";
import { nodes } from "./nodes.ts";
import { policies } from "./policies.ts";
import { pvm } from "./pvm.ts";
import { systemCalls } from "./system-calls.ts";
import { walkPlaces } from "./walk-places.ts";
import { walkReferences } from "./walk-references.ts";

export const claims: readonly Claim[] = [
  ...walkReferences,
  ...systemCalls,
  ...lmbench,
  ...adamsAgesen,
  ...kernelBuild,
  ...dirtyAndSync,
  ...effectiveReferences,
  ...bigMemory,
  ...walkPlaces,
  ...nodes,
  ...agileWinner,
  ...nested,
  ...policies,
  ...pvm,
  ...agileClaims,
  ...agileRankings,
  ...iommuRankings,
];
