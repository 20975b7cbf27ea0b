/**
 * Shadow paging whose roots silicon takes by itself: CR3-target values, which hold what is loaded and not the guest's root,
 * are agile paging's known roots with every table shadowed.
 */
import { agilePolicy, createAgile } from "../../engines/agile.ts";
import type { Engine } from "../../hypervisor/engine.ts";

/** So many values VMX has. */
const targets = 4;

export const shadowWithTargets: Engine = {
  title: "shadow paging, four CR3-target values",
  family: "shadow",
  create: (platform) =>
    createAgile(platform, {
      ...agilePolicy,
      begins: "shadowed",
      intervalAccesses: Number.MAX_SAFE_INTEGER,
      knownRoots: targets,
    }),
};
