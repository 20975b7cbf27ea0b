/**
 * What a policy makes of a walk of the guest's tables that allows the access.
 */
import { allLines, lineAt } from "../../machine/formats/sub-pages.ts";
import { ACC_EXEC, ACC_USER, ACC_WRITE } from "../../machine/formats/x86-entry.ts";
import type { Gfn } from "../../machine/address.ts";
import { PF_FETCH, PF_SHADOW_STACK, PF_USER, PF_WRITE } from "../../machine/page-fault.ts";
import type { PendingStore, Resolution, VmExit } from "../../machine/exits.ts";
import type { VirtualCpu } from "../../machine/virtual-cpu.ts";
import { type FaultingAccess, type GuestWalk } from "../guest-walk.ts";
import type { MemoryPolicy } from "./memory-policy.ts";
import type { Storer, Verdict } from "./rules.ts";

/** A store, as far as lines are concerned. */
interface StoreInPage {
  readonly offset: number;
  readonly store: PendingStore | null;
}

/** The lines that a store touches, a bit each. */
function linesOf({ offset, store }: StoreInPage): number {
  return store?.kind === "page" ? allLines : lineAt(offset);
}

/** Denies the access, or null: then it may have the frame of `reachedFrame`. `by` makes the store, if it is one. */
export function judge(
  policy: MemoryPolicy,
  vcpu: VirtualCpu,
  exit: FaultingAccess & StoreInPage,
  { walk, by }: { readonly walk: GuestWalk; readonly by: Storer },
): Resolution | null {
  const { vpn, error } = exit;
  const page = policy.lockedPage(vpn);
  const gfn = page?.gfn ?? walk.gfn;
  const rights = page?.access ?? ~0;
  const deny = (who: Verdict["by"], at: Gfn = gfn) =>
    policy.deny({ cpu: vcpu.id, vpn, gfn: at, by: who });
  for (let level: number = vcpu.registers.levels; level >= walk.level; level--) {
    const table = walk.tables[level]!;
    if (policy.isHidden(table)) return deny("reader", table);
  }
  const isPush = (error & PF_SHADOW_STACK) !== 0;
  const who = isPush ? "shadow-stack" : by;
  if ((error & PF_WRITE) !== 0 && !policy.mayStore(gfn, who, isPush ? null : page, linesOf(exit))) {
    return deny(who);
  }
  if ((error & PF_FETCH) !== 0 && (rights & ACC_EXEC) === 0) return deny("fetcher");
  const isForbidden = (error & PF_USER) !== 0 && (rights & ACC_USER) === 0;
  return isForbidden || policy.isHidden(gfn) ? deny("reader") : null;
}

/** Denies what an EPT violation asks for, or null. */
export function judgeFrame(
  policy: MemoryPolicy,
  vcpu: VirtualCpu,
  exit: Extract<VmExit, { readonly reason: "ept-violation" }>,
): Resolution | null {
  const { vpn, gfn, access, duringWalk, isStack = false } = exit;
  const by = duringWalk ? "walker" : isStack ? "shadow-stack" : "guest";
  const lines = duringWalk ? allLines : linesOf(exit);
  if (access === "write" && !policy.mayStore(gfn, by, null, lines)) {
    return policy.deny({ cpu: vcpu.id, vpn, gfn, by });
  }
  const isAlias = !duringWalk && policy.isBound(gfn) && policy.pages.at(vpn)?.gfn !== gfn;
  if (!isAlias && !policy.isHidden(gfn)) return null;
  return policy.deny({ cpu: vcpu.id, vpn, gfn, by: access === "write" ? "guest" : "reader" });
}

/** The frame that a page leads to: a locked one to its own, whatever the guest's entry says. */
export function reachedFrame(policy: MemoryPolicy | null, vpn: number, walked: Gfn): Gfn {
  return policy?.pages.at(vpn)?.gfn ?? walked;
}

/** Rights of a leaf that maps `gfn`, -1 where none may. `vpn` is -1 where the page does not matter. */
export function leafAccess(policy: MemoryPolicy, vpn: number, gfn: Gfn, access: number): number {
  if (policy.isHidden(gfn)) return -1;
  const left = vpn < 0 ? access : access & (policy.pages.at(vpn)?.access ?? access);
  return policy.mayStore(gfn, "guest") ? left : left & ~ACC_WRITE;
}

/** The walk would have had to set A or D in `walk.gfn`, which is locked. */
export function denyMark(
  policy: MemoryPolicy,
  vcpu: VirtualCpu,
  { vpn }: FaultingAccess,
  { gfn }: GuestWalk,
): Resolution {
  return policy.deny({ cpu: vcpu.id, vpn, gfn, by: "walker" });
}

/** A root that the guest may not load. */
export function denyRoot(policy: MemoryPolicy, vcpu: VirtualCpu, gfn: Gfn): Resolution {
  return policy.deny({ cpu: vcpu.id, vpn: -1, gfn, by: "root" });
}
