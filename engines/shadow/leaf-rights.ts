/**
 * Rights of leaves in shadow tables: what a policy leaves of them, and what silicon makes of them in a guest with shadow
 * stacks (CET).
 *
 * Silicon takes a leaf without W and with D for a page of a shadow stack. What a hypervisor write-protects, tables, clean
 * pages, shared ones, looks like that, so it loses D too. A leaf of the guest's that is one keeps it, unless its stores
 * have to be seen.
 *
 * Model: no log of dirty pages runs beside, and shadow stacks lie in pages of 4 KiB. Bias: none.
 */
import type { Gfn } from "../../machine/address.ts";
import {
  accessOf,
  isDirty,
  isWritable,
  withoutDirty,
  withRights,
} from "../../machine/formats/x86-entry.ts";
import { leafAccess } from "../../hypervisor/policy/judge.ts";
import type { MemoryPolicy } from "../../hypervisor/policy/memory-policy.ts";
import type { ShadowParts } from "./shadow-table.ts";

/** Rights of a small leaf that a policy leaves; 0: there may be none. */
export function allowed(policy: MemoryPolicy, page: number, gfn: Gfn, rights: number): number {
  const left = leafAccess(policy, page, gfn, accessOf(rights, rights));
  return left < 0 ? 0 : withRights(rights, left);
}

/** Rights of a leaf that is no shadow stack's. */
export function closed({ hasStacks }: ShadowParts, rights: number): number {
  return isWritable(rights) || hasStacks?.() !== true ? rights : withoutDirty(rights);
}

export interface LeafWish {
  /** What the guest's entry asks for, and what is left of it. */
  readonly asked: number;
  readonly left: number;
  /** Is the page a guest's table, whose stores have to be seen? */
  readonly isTable: boolean;
}

/** The same of one that is, if the guest's entry asks for these rights, and silicon may push there by itself. */
export function closedUnlessStack(
  parts: ShadowParts,
  gfn: Gfn,
  { asked, left, isTable }: LeafWish,
): number {
  const right = closed(parts, left);
  if (right === left || isTable || isWritable(asked) || !isDirty(asked)) return right;
  const { memory, tracker, policy } = parts;
  const mayPush = policy?.isStack(gfn) === true || tracker.mayMapWritable(gfn);
  return mayPush && memory.isWritable(gfn) ? left : right;
}

/** May a large page of the guest's have one leaf? Not where each frame may have to be closed. */
export function mayStayLarge({ hasStacks }: ShadowParts): boolean {
  return hasStacks?.() !== true;
}
