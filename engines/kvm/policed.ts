/**
 * What a policy makes of the leaves of lazy shadow paging, whoever makes them: a fault, a prefetch, a sync.
 *
 * The role of a page is its place as far as rules on pages see it, part of its key beside the access rights.
 */
import type { Gfn } from "../../machine/address.ts";
import { leafAccess } from "../../hypervisor/policy/judge.ts";
import type { ShadowKey } from "./shadow-page.ts";
import type { Vm } from "./vm.ts";

export interface GuestLeaf {
  readonly gfn: Gfn;
  /** Rights through the shadow page; W only if D is set. */
  readonly access: number;
  /** Present, accessed, no reserved bit, and its frame exists: it may be mapped although no access asks for it. */
  readonly usable: boolean;
}

/** The role of the shadow page at `level` on the way to `vpn`. */
export function roleAt({ memoryPolicy }: Vm, vpn: number, level: number): number {
  return memoryPolicy === null ? 0 : memoryPolicy.pages.roleOf(vpn, level);
}

/** Rights of a leaf for an access that the policy lets pass. */
export function policedAccess(
  { memoryPolicy }: Vm,
  { vpn, gfn, access }: { readonly vpn: number; readonly gfn: Gfn; readonly access: number },
): number {
  return memoryPolicy === null ? access : leafAccess(memoryPolicy, vpn, gfn, access);
}

/** The most that one leaf may map: less where a rule treats some pages or frames of it apart. */
export function policedLevel(vm: Vm, vpn: number, gfn: Gfn, levelMax: number): number {
  const { memoryPolicy } = vm;
  let level = levelMax;
  if (memoryPolicy === null) return level;
  while (level > 1 && (roleAt(vm, vpn, level - 1) !== 0 || memoryPolicy.needsSmall(gfn, level))) {
    level -= 1;
  }
  return level;
}

/** The guest's leaf as the policy lets it take effect. */
export function policedLeaf(
  { memoryPolicy }: Vm,
  { role }: ShadowKey,
  index: number,
  leaf: GuestLeaf,
): GuestLeaf {
  if (memoryPolicy === null) return leaf;
  const page = memoryPolicy.pages.pageAt(role, index);
  const gfn = memoryPolicy.pages.at(page)?.gfn ?? leaf.gfn;
  const access = leafAccess(memoryPolicy, page, gfn, leaf.access);
  return { gfn, access, usable: leaf.usable && access >= 0 };
}
