/**
 * Selective paging for each process: some address spaces of a guest are shadowed and others nested, at the same time.
 *
 * Buys: what neither side has for a guest whose processes differ, on today's silicon: whether there are nested tables is a
 * field of the VMCS, which an exit at a CR3 write may change. Pays: an exit for every CR3 write as long as one space is
 * shadowed, a shadow built anew for each that enters it, and nested tables without A and D bits, in which shadowed tables are
 * read-only, or a store from a nested space would not be seen.
 *
 * Source: Wang, Zang, Wang, Luo, Li, "Selective Hardware/Software Memory Virtualization" (VEE 2011), which changes for the whole
 * guest and names processes as what may come; SDM vol. 3C 25.6.2 "Enable EPT". The rule is ours.
 *
 * Model: a change between nested and shadowed leaves nothing cached, where VPIDs and EP4TAs tell translations apart. Bias: for
 * EPT, which never changes.
 *
 * Model: nested tables have no A and D bits, or silicon would store to every table that it walks. Bias: none, but a page's age
 * costs an exit.
 */
import type { Engine } from "../hypervisor/engine.ts";
import { flushVcpus } from "../hypervisor/flush.ts";
import type { HostEvent } from "../hypervisor/host-events.ts";
import type { Hypervisor } from "../hypervisor/hypervisor.ts";
import { createHostMemory } from "../hypervisor/memory/host-memory.ts";
import type { Platform } from "../hypervisor/platform.ts";
import { type DirtyTracker, noTracker } from "../hypervisor/dirty/tracker.ts";
import type { Gfn } from "../machine/address.ts";
import type { Resolution, VmExit } from "../machine/exits.ts";
import type { VirtualCpu } from "../machine/virtual-cpu.ts";
import { nestedOn } from "./ept.ts";
import { shadowOn } from "./shadow.ts";
import { release } from "./shadow/release.ts";
import { BesideNested } from "./shsp/beside-nested.ts";
import { Processes, type ProcessPolicy, type Spent, spentSince } from "./shsp/processes.ts";
import { markForWalker } from "./shsp/walker-mark.ts";
import { shspPolicy } from "./shsp.ts";

type Cr3Write = Extract<VmExit, { readonly reason: "cr3-write" }>;
type EptViolation = Extract<VmExit, { readonly reason: "ept-violation" }>;

export function createShspProcess(platform: Platform, policy: ProcessPolicy): Hypervisor {
  const { vcpus } = platform;
  const memory = createHostMemory(platform);
  const processes = new Processes(policy);
  const tracker: DirtyTracker = {
    ...noTracker,
    mayMapWritable: (gfn) => !shadow.tables.isTable(gfn),
    needsSmall: (gfn, level) => shadow.tables.regions.holds(gfn, level),
  };
  const nested = nestedOn(platform, memory, { format: "ept", accessedDirty: false, tracker });
  const beside = new BesideNested(nested.tables, (gfn) => {
    // Stores to a root that nobody runs have shown that its space is gone, unless it is us who let it go.
    if (processes.isShadowed(gfn)) processes.forget(gfn);
  });
  const shadow = shadowOn(platform, memory, { log: noTracker, policy: null, beside });
  /** By vCPU: the root that it runs on, is that shadowed, and what had been counted when that began. */
  const running = vcpus.map(({ cr3 }) => ({ root: cr3.root, isShadowed: false, before: none }));

  function flushIfNeeded(asker: VirtualCpu | null): void {
    const { tables } = shadow;
    if (!beside.isStale && !tables.flushNeeded) return;
    flushVcpus(vcpus, asker, beside.isStale ? "nested" : "linear");
    beside.isStale = false;
    tables.flushNeeded = false;
  }

  /** Puts down to the space that a vCPU has run what was counted since. */
  function account(vcpu: VirtualCpu): void {
    const run = running[vcpu.id]!;
    const now = countsOf(vcpu);
    processes.ran(run.root, spentSince(run.before, now));
    run.before = now;
  }

  /** The vCPU's control fields are those of the nested space that it runs. */
  function setControls(vcpu: VirtualCpu): void {
    const isSampled = processes.isSampled(vcpu.cr3.root);
    const { isListening } = processes;
    const { exitOnPageFault, exitOnCr3Write, stages } = vcpu.controls;
    const areSame = exitOnPageFault === isSampled && exitOnCr3Write === isListening;
    if (areSame && stages === nested.controls.stages) return;
    const sampled = { exitOnPageFault: isSampled, exitOnCr3Read: isSampled };
    vcpu.setControls({ ...nested.controls, ...sampled, exitOnCr3Write: isListening });
  }

  /** The vCPU runs on in the space that its CR3 names, as that is to run. */
  function enter(vcpu: VirtualCpu): void {
    const { cr3, registers } = vcpu;
    const run = running[vcpu.id]!;
    run.root = cr3.root;
    run.isShadowed = processes.isShadowed(cr3.root);
    if (run.isShadowed) {
      shadow.hypervisor.boot(vcpu, cr3, registers);
    } else {
      shadow.leave(vcpu);
      setControls(vcpu);
      vcpu.setHardwareRoot(cr3.root, cr3.pcid);
    }
  }

  function cr3Write(exit: Cr3Write, vcpu: VirtualCpu): Resolution {
    const run = running[vcpu.id]!;
    account(vcpu);
    processes.sawCr3Write(run.isShadowed);
    if (run.isShadowed && processes.isShadowed(exit.cr3.root)) {
      run.root = exit.cr3.root;
      return shadow.hypervisor.exit(exit, vcpu);
    }
    memory.balance();
    enter(vcpu);
    if (!exit.cr3.keep) vcpu.mmu.flushContext(exit.cr3.pcid);
    return "resume";
  }

  function isStoreToShadowed({ access, gfn }: EptViolation): boolean {
    return access === "write" && shadow.tables.isTable(gfn) && !memory.isHole(gfn);
  }

  /** A store of a nested space's, or of silicon that walks its tables, to a table that is shadowed; null: it may store. */
  function storeToShadowed(exit: EptViolation, vcpu: VirtualCpu): Resolution | null {
    const { gfn } = exit;
    processes.sawOther();
    if (!exit.duringWalk) return shadow.storeToTable(exit, vcpu, gfn) ? "emulated" : null;
    const index = markForWalker(memory, vcpu, exit);
    if (index !== null)
      shadow.tables.set.of(gfn).forEach((table) => shadow.tables.mirror(table, index));
    vcpu.ledger.faultsFixed += 1;
    return "resume";
  }

  function answer(exit: VmExit, vcpu: VirtualCpu): Resolution {
    const { exitOnCr3Read, exitOnCr3Write, exitOnPageFault } = vcpu.controls;
    if (exit.reason === "cr3-write" && exitOnCr3Write) return cr3Write(exit, vcpu);
    const { root, isShadowed } = running[vcpu.id]!;
    if (isShadowed) return shadow.hypervisor.exit(exit, vcpu);
    if (exit.reason === "cr3-read" && exitOnCr3Read) {
      memory.balance();
      processes.sawCr3Read(root);
      setControls(vcpu);
      return "resume";
    }
    if (exit.reason === "page-fault" && exitOnPageFault) {
      memory.balance();
      processes.sawFault(root);
      setControls(vcpu);
      vcpu.ledger.guestFaultsReflected += 1;
      return { inject: exit.error };
    }
    if (exit.reason === "ept-violation" && isStoreToShadowed(exit)) {
      const done = storeToShadowed(exit, vcpu);
      if (done !== null) return done;
    }
    return nested.hypervisor.exit(exit, vcpu);
  }

  function endInterval(): void {
    for (const vcpu of vcpus) {
      // Where CR3 writes do not exit, the timer finds who runs.
      running[vcpu.id]!.root = vcpu.cr3.root;
      account(vcpu);
    }
    const isRoot = (gfn: Gfn) => processes.isShadowed(gfn);
    for (const root of processes.endInterval(vcpus.map(({ cr3 }) => cr3.root))) {
      release(shadow.tables, root, { isRoot, mapped: () => undefined });
    }
    for (const vcpu of vcpus) {
      const { isShadowed } = running[vcpu.id]!;
      if (isShadowed !== processes.isShadowed(vcpu.cr3.root)) enter(vcpu);
      else if (!isShadowed) setControls(vcpu);
    }
    flushIfNeeded(null);
  }

  function unmap(start: Gfn, frames: number): void {
    shadow.dropFrames(start, frames);
    nested.notifier.unmap(start, frames);
  }

  memory.attach({
    unmap,
    slotDeleted: (start, frames) => shadow.notifier.slotDeleted(start, frames),
    age: (gfn) => [shadow, nested].map(({ notifier }) => notifier.age(gfn)).includes(true),
    flush: () => nested.notifier.flush(),
  });

  function host(event: HostEvent): readonly Gfn[] {
    if (event.kind === "reclaim") {
      nested.dropFrames(event.start, event.frames);
      beside.isStale = true;
    }
    return shadow.hypervisor.host(event);
  }

  return {
    memory,
    boot(vcpu) {
      vcpu.setControls(nested.controls);
      enter(vcpu);
      running[vcpu.id]!.before = countsOf(vcpu);
      if (vcpu === vcpus[0]) vcpu.setTimer(policy.intervalAccesses, endInterval);
    },
    exit(exit, vcpu) {
      const resolution = answer(exit, vcpu);
      flushIfNeeded(vcpu);
      return resolution;
    },
    host(event) {
      const report = host(event);
      flushIfNeeded(null);
      return report;
    },
  };
}

const none: Spent = { walks: 0, walkReferencesNested: 0, exits: 0, accesses: 0 };

/** What silicon and the hypervisor have counted by now. */
function countsOf(vcpu: VirtualCpu): Spent {
  const { walks, walkReferencesNested, exits, accesses } = vcpu.counted();
  return { walks, walkReferencesNested, exits, accesses };
}

/** As for the whole guest; a tenth of an interval says enough of a space, and sixteen without an access that it rests. */
export const shspProcessPolicy: ProcessPolicy = { ...shspPolicy, accessesMin: 1000, idleMax: 16 };

export const shspProcess: Engine = {
  title: "SHSP for each process: some nested, some shadowed, by what misses and faults cost each",
  family: "shadow",
  create: (platform) => createShspProcess(platform, shspProcessPolicy),
};
