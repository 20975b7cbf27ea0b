/**
 * The registry of claims: a paper's or a subject's are its file and a name here.
 *
 * Those on one line run on one thread, because they share runs (`stage.ts`).
 */
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

export const claimGroups: readonly (readonly Claim[])[] = [
  [...walkReferences, ...systemCalls, ...lmbench, ...adamsAgesen, ...kernelBuild, ...dirtyAndSync],
  [...effectiveReferences, ...bigMemory, ...walkPlaces],
  nodes,
  [...nested, ...policies, ...pvm],
  [...agileWinner, ...agileClaims, ...agileRankings],
  iommuRankings,
];

/** In the order of the table. */
export const claims: readonly Claim[] = claimGroups.flat();
