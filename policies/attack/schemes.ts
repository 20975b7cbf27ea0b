/** The schemes that attacks are run against: a new one is a line here. */
import { ACC_EXEC } from "../../machine/formats/x86-entry.ts";
import { noTracker } from "../../hypervisor/dirty/tracker.ts";
import type { Engine } from "../../hypervisor/engine.ts";
import { MemoryPolicy } from "../../hypervisor/policy/memory-policy.ts";
import type { LockedPage } from "../../hypervisor/policy/page-locks.ts";
import type { PolicyRule, Storer } from "../../hypervisor/policy/rules.ts";
import type { Gfn } from "../../machine/address.ts";
import { createNested } from "../../engines/ept.ts";
import { guardedEpt } from "../../engines/ept-guarded.ts";
import { eptSpp } from "../../engines/ept-spp.ts";
import { eptViews } from "../../engines/ept-views.ts";
import { eptHlat } from "../../engines/ept-hlat.ts";
import { engines } from "../../engines/index.ts";
import { frames, guarded } from "./layout.ts";
import type { Scheme } from "./scheme.ts";

const frameLock: PolicyRule = { kind: "lock-frames", start: frames.target, frames: 1 };
/** No more of the frame than the bytes that attacks are after. */
const lineLock: PolicyRule = { kind: "lock-lines", start: frames.target, frames: 1, lines: 1 };
const pageLock = {
  kind: "lock-pages",
  start: guarded,
  pages: 1,
  first: frames.target,
  access: ACC_EXEC,
} as const satisfies PolicyRule;

/** SecVisor as its retrospective found it: a guarded page keeps its rights, and nobody asks which frame it maps. */
const rightsLock: PolicyRule = { ...pageLock, first: null };

/** The frame is a monitor's, and programs read it. */
const monitored: readonly PolicyRule[] = [
  { kind: "monitor-frames", start: frames.target, frames: 1, programs: "read" },
  { kind: "monitor-code", start: frames.monitor, frames: 1 },
];

/** EPT as rules on frames see it best: with A/D bits on, a walk of a locked frame as a table is a write to it as well. */
export const plainEpt: Engine = {
  ...engines.ept,
  create: (platform, options) =>
    createNested(platform, {
      format: "ept",
      accessedDirty: false,
      tracker: noTracker,
      policy: options?.policy,
    }),
};

/** A hypervisor that asks about the guest's stores and forgets its own. */
class EmulatorUnguarded extends MemoryPolicy {
  override mayStore(gfn: Gfn, by: Storer, page?: LockedPage | null, lines?: number): boolean {
    return by === "emulator" || super.mayStore(gfn, by, page, lines);
  }
}

export const schemes = {
  "ept-frame": { title: "EPT, frame locked", engine: plainEpt, rules: [frameLock] },
  "ept-no-invept": {
    title: "EPT, frame locked, INVEPT forgotten",
    engine: plainEpt,
    rules: [frameLock],
    plant({ vcpus }) {
      for (const { mmu } of vcpus) mmu.flushNested = () => undefined;
    },
  },
  "ept-path": {
    title: "EPT, page and frame locked, tables on the way guarded, CR3 writes free",
    engine: guardedEpt("path", { scope: "path", cr3Exits: false, cr3Targets: 0 }),
    rules: [frameLock, pageLock],
  },
  "ept-path-cr3": {
    title: "EPT, page and frame locked, tables on the way guarded, CR3 writes exit",
    engine: guardedEpt("path", { scope: "path", cr3Exits: true, cr3Targets: 0 }),
    rules: [frameLock, pageLock],
  },
  "ept-all": {
    title: "EPT, page and frame locked, all tables guarded",
    engine: guardedEpt("all", { scope: "all", cr3Exits: true, cr3Targets: 0 }),
    rules: [frameLock, pageLock],
  },
  "ept-all-pw": {
    title: "the same, silicon sets A and D in them (paging-write)",
    engine: guardedEpt("all", { scope: "all", cr3Exits: true, cr3Targets: 0, pagingWrite: true }),
    rules: [frameLock, pageLock],
  },
  "ept-hlat": {
    title: "EPT, frame locked, page pinned by HLAT",
    engine: eptHlat({ upperHalfOnly: true }),
    rules: [frameLock, pageLock],
  },
  "ept-hlat-gpv": {
    title: "EPT, page pinned by HLAT, its frame reached by no other name (GPV)",
    engine: eptHlat({ upperHalfOnly: true, verifies: true }),
    rules: [{ kind: "bind-frames", start: frames.target, frames: 1 }, pageLock],
  },
  "ept-views": {
    title: "EPT, frame read-only but for a monitor's view (VMFUNC)",
    engine: eptViews(),
    rules: monitored,
  },
  "ept-views-open": {
    title: "the same, any code runs in the monitor's view",
    engine: eptViews({ monitorRunsAll: true }),
    rules: monitored,
  },
  "ept-line": {
    title: "EPT, one line of the frame locked: its stores are done by the hypervisor",
    engine: plainEpt,
    rules: [lineLock],
  },
  "ept-spp": {
    title: "the same by sub-page write permissions (SPP)",
    engine: eptSpp,
    rules: [lineLock],
  },
  "shadow-rights": {
    title: "shadow, rights of the page locked only",
    engine: engines.shadow,
    rules: [rightsLock],
  },
  "shadow-page": {
    title: "shadow, page locked only",
    engine: engines.shadow,
    rules: [pageLock],
  },
  "shadow-frame": {
    title: "shadow, frame locked only",
    engine: engines.shadow,
    rules: [frameLock],
  },
  "shadow-deputy": {
    title: "shadow, page and frame locked, emulator unasked",
    engine: engines.shadow,
    rules: [frameLock, pageLock],
    createPolicy: () => new EmulatorUnguarded(),
  },
  shadow: {
    title: "shadow, page and frame locked",
    engine: engines.shadow,
    rules: [frameLock, pageLock],
  },
  "shadow-lazy": {
    title: "lazy shadow (kvm-6.12), page and frame locked",
    engine: engines["kvm-6.12"],
    rules: [frameLock, pageLock],
  },
} as const satisfies Record<string, Scheme>;

export type SchemeName = keyof typeof schemes;
export const schemeNames = Object.keys(schemes) as SchemeName[];
