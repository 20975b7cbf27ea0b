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

/** `left` of the rights `asked` for, for a leaf that is a stack's if the guest's entry asks for one and silicon may push. */
export function openToStack(
  { memory, tracker, policy }: ShadowParts,
  gfn: Gfn,
  asked: number,
  left: number,
): number {
  if (isWritable(asked) || !isDirty(asked)) return withoutDirty(left);
  const mayPush = policy?.isStack(gfn) === true || tracker.mayMapWritable(gfn);
  return mayPush && memory.isWritable(gfn) ? left : withoutDirty(left);
}

/** May a large page of the guest's have one leaf? Not where each frame may have to be closed. */
export function mayStayLarge({ hasStacks }: ShadowParts): boolean {
  return hasStacks?.() !== true;
}
