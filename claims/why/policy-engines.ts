/**
 * Engines that hold a lock on the guest's kernel text, for the topic of policies.
 */
import { guardedEpt } from "../../engines/ept-guarded.ts";
import { eptHlat } from "../../engines/ept-hlat.ts";
import type { GuardOptions } from "../../engines/guard/table-guard.ts";
import { engines } from "../../engines/index.ts";
import type { Engine } from "../../hypervisor/engine.ts";
import { kernelTextLock } from "../../policies/kernel-text.ts";
import { policed } from "../../policies/policed-run.ts";

/** Tables of four levels, as all points of the topic have them. */
const lock = kernelTextLock(4);

function guarded(
  title: string,
  scope: GuardOptions["scope"],
  cr3Targets: number,
  pagingWrite = false,
): Engine {
  return policed(guardedEpt(title, { scope, cr3Exits: true, cr3Targets, pagingWrite }), lock);
}

/** Shares of the leaf tables that are guarded, in percent, all upper tables besides. */
export const leafShares = [0, 25, 50, 100] as const;

export function shareEngine(percent: number): string {
  return `ept, ${percent}% of leaf tables guarded`;
}

export const policyEngines: Readonly<Record<string, Engine>> = {
  "shadow, text locked": policed(engines.shadow, lock),
  "kvm-6.12, text locked": policed(engines["kvm-6.12"], lock),
  "ept, path guarded": guarded("EPT, tables on the way to the lock guarded", "path", 0),
  "ept, path guarded, CR3 targets": guarded("the same, four CR3 targets", "path", 4),
  "ept, tables guarded": guarded("EPT, all tables guarded", "all", 0),
  "ept, tables guarded, CR3 targets": guarded("the same, four CR3 targets", "all", 4),
  "ept, tables guarded, CR3 targets, paging-write": guarded(
    "the same, silicon sets A and D in them",
    "all",
    4,
    true,
  ),
  "ept, text pinned by HLAT": policed(eptHlat({ upperHalfOnly: true }), lock),
  ...Object.fromEntries(
    leafShares.map((leafPercent) => {
      const name = shareEngine(leafPercent);
      return [name, guarded(name, { leafPercent }, 4)] as const;
    }),
  ),
};
