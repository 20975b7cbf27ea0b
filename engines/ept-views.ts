/**
 * EPT with two views of the guest's memory: the programs', and a monitor's that the guest takes by VMFUNC, with no exit.
 *
 * Buys: a monitor inside the guest, whose frames no program reaches, is called without leaving the guest. Pays: a tree of
 * tables for each view, each first use of a frame in each, and caches that the views share.
 *
 * Anybody may take the monitor's view, but in it nothing runs that is not the monitor's code: whoever takes it is refused
 * at the next instruction, and finds itself in the programs' view. What a page means the guest's tables say in both views:
 * a remap works against a monitor as against any lock by EPT.
 *
 * Model: a hypervisor that moves a vCPU to another view flushes. Bias: none, as it does so after a denied act alone.
 *
 * Source: SDM vol. 3C 26.5.6.3 "EPTP Switching"; Sharif, Lee, Cui, Lanzi, "Secure In-VM Monitoring Using Hardware
 * Virtualization" (CCS 2009), which takes its view by CR3.
 */
import { noTracker } from "../hypervisor/dirty/tracker.ts";
import type { Engine } from "../hypervisor/engine.ts";
import type { HostEvent } from "../hypervisor/host-events.ts";
import type { Hypervisor } from "../hypervisor/hypervisor.ts";
import { createHostMemory, isMemoryEvent } from "../hypervisor/memory/host-memory.ts";
import type { Platform } from "../hypervisor/platform.ts";
import { refuseCopies } from "../hypervisor/tables/replicas.ts";
import { MemoryPolicy } from "../hypervisor/policy/memory-policy.ts";
import { allowedRanges, mayWrite } from "../hypervisor/policy/police-host.ts";
import type { PolicyRule } from "../hypervisor/policy/rules.ts";
import type { Gfn } from "../machine/address.ts";
import { x86Isa } from "../machine/isa/x86.ts";
import type { Controls } from "../machine/controls.ts";
import type { VirtualCpu } from "../machine/virtual-cpu.ts";
import { eptPointerFlags } from "../machine/views.ts";
import { nestedOn } from "./ept.ts";

/** Indices into the list of views. */
export const programsView = 0;
export const monitorView = 1;

export interface ViewOptions {
  /** May any code run in the monitor's view? Then it protects nothing; to show that. */
  readonly monitorRunsAll?: boolean;
}

export function eptViews(options: ViewOptions = {}): Engine {
  return {
    title: "EPT, a view for a monitor in the guest (VMFUNC)",
    family: "nested",
    create: (platform, { policy = new MemoryPolicy() } = {}) =>
      createViews(platform, policy, options),
  };
}

/** What a rule is to those who are in the view. */
function asSeenFrom(view: number, rule: PolicyRule): readonly PolicyRule[] {
  const isMonitor = view === monitorView;
  if (rule.kind === "monitor-frames") {
    const kind = rule.programs === "read" ? "lock-frames" : "hide-frames";
    return isMonitor ? [] : [{ ...rule, kind }];
  }
  if (rule.kind !== "monitor-code") return [rule];
  const lock = { ...rule, kind: "lock-frames" } as const;
  return isMonitor ? [lock, { ...rule, kind: "approve-frames" }] : [lock];
}

function createViews(
  platform: Platform,
  policy: MemoryPolicy,
  { monitorRunsAll = false }: ViewOptions,
): Hypervisor {
  // The list of views names one tree for each.
  refuseCopies(platform, "views");
  const memory = createHostMemory(platform);
  const policies = [programsView, monitorView].map((view) => createPolicy(view));
  const views = policies.map((own) =>
    nestedOn(platform, memory, {
      format: "ept-views",
      accessedDirty: false,
      tracker: noTracker,
      policy: own,
      approvesCode: true,
    }),
  );
  const [programs, monitor] = views as [(typeof views)[0], (typeof views)[0]];
  const list = platform.memory.allocateTable();
  const roots = views.map(({ controls }, view) => {
    const stage = controls.stages(4).at(-1)!;
    platform.memory.writeEntry(list, view, stage.root!, eptPointerFlags(stage));
    return stage.root;
  });
  const programsControls: Controls = { ...programs.controls, eptpList: list };

  function createPolicy(view: number): MemoryPolicy {
    const isClosed = view === monitorView && !monitorRunsAll;
    const own = new MemoryPolicy(
      isClosed ? [{ kind: "approve-frames", start: 0 as Gfn, frames: 0 }] : [],
    );
    own.onVerdict = (verdict) => policy.deny(verdict);
    return own;
  }

  function enforce(rule: PolicyRule): void {
    for (const [view, own] of policies.entries()) {
      for (const part of asSeenFrom(view, rule)) {
        if (part.kind !== "approve-frames" || !monitorRunsAll) own.enact(part);
      }
    }
  }

  function viewOf({ controls }: VirtualCpu): number {
    return roots.indexOf(controls.stages(4).at(-1)!.root);
  }

  function host(event: HostEvent): readonly Gfn[] {
    if (isMemoryEvent(event)) {
      if (mayWrite(policy, event)) memory.answer(event);
      return [];
    }
    if (event.kind !== "reclaim") return programs.hypervisor.host(event);
    for (const part of allowedRanges(policy, event)) {
      monitor.dropFrames(part.start, part.frames);
      programs.hypervisor.host({ ...event, ...part });
    }
    return [];
  }

  memory.attach({
    unmap(start, frames) {
      monitor.dropFrames(start, frames);
      programs.notifier.unmap(start, frames);
    },
    age: (gfn) => views.map(({ notifier }) => notifier.age(gfn)).includes(true),
    flush: () => programs.notifier.flush(),
    slotDeleted: () => undefined,
  });
  policy.attach({
    name: "ept-views",
    locksPages: false,
    pinsPages: false,
    approvesCode: false,
    bindsFrames: false,
    hasViews: true,
    enforce,
  });
  for (const rule of policy.rules) enforce(rule);

  return {
    memory,
    isa: x86Isa,
    boot(vcpu, cr3) {
      vcpu.setControls(programsControls);
      vcpu.setHardwareRoot(cr3.root, cr3.pcid);
    },
    exit(exit, vcpu) {
      const view = viewOf(vcpu);
      const resolution = views[view]!.hypervisor.exit(exit, vcpu);
      // Who breaks a rule in the monitor's view is not the monitor.
      if (view === monitorView && resolution === "skip") vcpu.setControls(programsControls);
      return resolution;
    },
    host,
  };
}
