/**
 * Nodes: memory in several parts, each near to some processors and further from the others.
 *
 * An address decoder tells nodes apart by ranges of addresses, so a frame's node follows from its number. Which frames
 * system software takes for its tables is a plan, which stands beside the silicon because one name means both.
 */

/**
 * Where tables lie. `local`: on the node of the processor that makes them. `remote`: on the last node, as if their owner
 * had been moved away from there. `migrated`: the same, until each is moved to where most of what it points to is.
 * `replicated`: on the last node, and a copy of each on every other node.
 */
export const tablePolicies = ["local", "remote", "migrated", "replicated"] as const;
export type TablePolicy = (typeof tablePolicies)[number];

export interface NodePlan {
  readonly count: 2 | 4;
  /** Is the guest told of them? Else it takes frames from anywhere. */
  readonly isShown: boolean;
  /** The guest kernel's own tables. */
  readonly guestTables: TablePolicy;
  /** The hypervisor's: nested tables, or shadow tables, which only `local` and `remote` are for. */
  readonly hypervisorTables: TablePolicy;
}

/** Node on which tables under the policy are made, by a processor on node `home`. */
export function nodeOfTables(policy: TablePolicy, home: number, count: number): number {
  return policy === "local" ? home : count - 1;
}

/** The part of `[0, size)`, cut into `count` equal ones, that `place` is in; the last one takes the remainder. */
export function partOf(place: number, size: number, count: number): number {
  return Math.min(count - 1, Math.floor(place / Math.floor(size / count)));
}

/** Where part `part` begins; for `count` itself the end. */
export function startOfPart(part: number, size: number, count: number): number {
  return part === count ? size : part * Math.floor(size / count);
}

/** The node that most of `counts` are on; `before`, where none is. */
export function majority(counts: readonly number[], before: number): number {
  return counts.reduce((best, count, node) => (count > (counts[best] ?? 0) ? node : best), before);
}
