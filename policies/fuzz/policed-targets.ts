/** The schemes that fuzzed guests run under with rules: a new one is a line here. */
import { guardedEpt } from "../../engines/ept-guarded.ts";
import { eptHlat } from "../../engines/ept-hlat.ts";
import { eptMbec } from "../../engines/ept-mbec.ts";
import { eptSpp } from "../../engines/ept-spp.ts";
import { eptViews } from "../../engines/ept-views.ts";
import { engines } from "../../engines/index.ts";
import type { Engine } from "../../hypervisor/engine.ts";

export interface PolicedTarget {
  readonly engine: Engine;
  /**
   * `all`: frames and pages, at any time; `frames`: no pages; `boot-pages`: pages as the boot image has them; `bound-pages`:
   * the same, and their frames are bound to them; `views`: frames, some of them for a monitor alone, and the guest takes
   * one view and the other.
   */
  readonly rules: "all" | "frames" | "boot-pages" | "bound-pages" | "views";
}

export const policedTargets = {
  shadow: { engine: engines.shadow, rules: "all" },
  "shadow-lazy": { engine: engines["shadow-lazy"], rules: "all" },
  "kvm-6.1": { engine: engines["kvm-6.1"], rules: "all" },
  "kvm-6.12": { engine: engines["kvm-6.12"], rules: "all" },
  xen: { engine: engines.xen, rules: "all" },
  ept: { engine: engines.ept, rules: "frames" },
  "ept-mbec": { engine: eptMbec, rules: "frames" },
  "ept-hlat": { engine: eptHlat({ upperHalfOnly: false }), rules: "boot-pages" },
  "ept-hlat-gpv": {
    engine: eptHlat({ upperHalfOnly: false, verifies: true }),
    rules: "bound-pages",
  },
  "ept-spp": { engine: eptSpp, rules: "frames" },
  "ept-views": { engine: eptViews(), rules: "views" },
  "ept-path4": {
    engine: guardedEpt("EPT, path guarded", { scope: "path", cr3Exits: true, cr3Targets: 4 }),
    rules: "boot-pages",
  },
  "ept-all4": {
    engine: guardedEpt("EPT, tables guarded", { scope: "all", cr3Exits: true, cr3Targets: 4 }),
    rules: "boot-pages",
  },
  "ept-all4-pw": {
    engine: guardedEpt("EPT, tables guarded, paging-write", {
      scope: "all",
      cr3Exits: true,
      cr3Targets: 4,
      pagingWrite: true,
    }),
    rules: "boot-pages",
  },
} as const satisfies Record<string, PolicedTarget>;

export type PolicedTargetName = keyof typeof policedTargets;
export const policedTargetNames = Object.keys(policedTargets) as PolicedTargetName[];
