/**
 * A dirty tracker whose leaves are never wider than a policy: where an engine asks the one, it asks both.
 */
import type { DirtyTracker } from "../dirty/tracker.ts";
import type { MemoryPolicy } from "./memory-policy.ts";

export function policedTracker(tracker: DirtyTracker, policy: MemoryPolicy | null): DirtyTracker {
  if (policy === null) return tracker;
  return {
    ...tracker,
    mayMapWritable: (gfn) => tracker.mayMapWritable(gfn) && policy.mayStore(gfn, "guest"),
    needsSmall: (gfn, level) => tracker.needsSmall(gfn, level) || policy.needsSmall(gfn, level),
  };
}
