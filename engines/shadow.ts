/**
 * Shadow paging with trap-on-write: every store to a reachable guest table exits, is emulated, and mirrored.
 *
 * Buys: walks of native length, and shadow tables that are always up to date, so CR3 writes and INVLPG have
 * nothing to repair. Pays: one exit per PTE store, besides those for CR3 writes, INVLPG and guest faults, and
 * the shadowing of every table that becomes reachable.
 *
 * Source: Adams & Agesen 2006, section 2.3; Xen "Shadow-2" (xen-devel 2008).
 */
import type { Gfn, Vpn } from "../machine/address.ts";
import { assert } from "../machine/assert.ts";
import { PF_SHADOW_STACK } from "../machine/page-fault.ts";
import { x86 } from "../machine/formats/x86.ts";
import { ACC_USER, ACC_WRITE } from "../machine/formats/x86-entry.ts";
import type { Ledger } from "../machine/counters.ts";
import type { Resolution, VmExit } from "../machine/exits.ts";
import type { Registers } from "../machine/registers.ts";
import type { VirtualCpu } from "../machine/virtual-cpu.ts";
import type { Platform } from "../hypervisor/platform.ts";
import { shadowControls, unaskedExit } from "../hypervisor/controls.ts";
import { type DirtyTracker, noTracker } from "../hypervisor/dirty/tracker.ts";
import type { Engine } from "../hypervisor/engine.ts";
import { flushVcpus, payer } from "../hypervisor/flush.ts";
import { createWalk, walkDenied, walkGuest, type WalkHost } from "../hypervisor/guest-walk.ts";
import { createHostMemory, type HostMemory } from "../hypervisor/memory/host-memory.ts";
import type { MmuNotifier } from "../hypervisor/memory/notifier.ts";
import { answerMmio } from "../hypervisor/memory/slots.ts";
import { denyMark, denyRoot, judge, reachedFrame } from "../hypervisor/policy/judge.ts";
import { asShadowsCan, type MemoryPolicy } from "../hypervisor/policy/memory-policy.ts";
import { policedTracker } from "../hypervisor/policy/policed-tracker.ts";
import { PcidRoots } from "../hypervisor/pcid-roots.ts";
import { takeAccessed } from "../hypervisor/tables/radix.ts";
import { fillPath } from "./shadow/fill.ts";
import { frameIn } from "./shadow/frame-in.ts";
import { shadowHost } from "./shadow/host-events.ts";
import { loggedShadow } from "./shadow/logged-shadow.ts";
import { mirrorRange } from "./shadow/mirror-range.ts";
import type { Shadow, ShadowOn, ShadowOnParts } from "./shadow/shadow-on.ts";
import type { ShadowTable } from "./shadow/shadow-table.ts";
import { type StoreExit, TableStores } from "./shadow/table-stores.ts";
import { stacksOf } from "./shadow/stacks-of.ts";
import { ShadowTables } from "./shadow/tables.ts";

type PageFaultExit = Extract<VmExit, { reason: "page-fault" }>;

type Policy = MemoryPolicy | null;

export function createShadow(platform: Platform, log: DirtyTracker, policy: Policy = null): Shadow {
  const memory = createHostMemory(platform);
  const shadow = shadowOn(platform, memory, { log, policy });
  memory.attach(shadow.notifier);
  return shadow.hypervisor;
}

/** The same on a memory that others map too: who makes it tells `notifier`. */
export function shadowOn(
  platform: Platform,
  memory: HostMemory,
  { log, policy, beside = null }: ShadowOnParts,
): ShadowOn {
  const { memory: bytes, vcpus } = platform;
  const tracker = policedTracker(log, policy);
  const walk = createWalk();
  const walkHosts = vcpus.map((vcpu): WalkHost => {
    return { guest: memory, memoryPolicy: policy, marked: (gfn) => tracker.wrote(gfn, vcpu) };
  });
  const roots = new Map<number, ShadowTable>();
  const pcidRoots = vcpus.map(() => new PcidRoots());
  /** The vCPU whose exit is being answered; null while the host acts. */
  let serving: VirtualCpu | null = null;
  const kept = { keptFlags: ACC_WRITE | ACC_USER, beside };
  const { hasStacks, lookForStacks } = stacksOf(vcpus);
  const tables = new ShadowTables({ bytes, memory, policy, tracker, ledger, hasStacks, ...kept });
  const stores = new TableStores({
    tables,
    isRoot,
    wrote: (gfn, vcpu) => tracker.wrote(gfn, vcpu),
  });

  function ledger(): Ledger {
    return payer(vcpus, serving);
  }

  /** Everything that changed under cached translations is forgotten, on every vCPU. */
  function flushIfNeeded(): void {
    if (!tables.flushNeeded) return;
    tables.flushNeeded = false;
    flushVcpus(vcpus, serving, "linear");
  }

  /** For what the host changes: silicon may still hold, until the guest's own flush, what the shadow has dropped. */
  function flushAlways(): void {
    tables.flushNeeded = true;
    flushIfNeeded();
  }

  function loadRoot(vcpu: VirtualCpu): void {
    const { cr3, registers } = vcpu;
    memory.check(cr3.root, 0 as Vpn);
    const role = policy === null ? 0 : policy.pages.roleOf(0, registers.levels);
    const root = tables.shadow(cr3.root, registers.levels, role);
    roots.set(vcpu.id, root);
    vcpu.setHardwareRoot(root.pfn, cr3.pcid);
  }

  function isRoot(table: ShadowTable): boolean {
    for (const root of roots.values()) if (root.pfn === table.pfn) return true;
    return false;
  }

  function pageFault(exit: PageFaultExit, vcpu: VirtualCpu): Resolution {
    if (!walkGuest(walkHosts[vcpu.id]!, vcpu, exit, walk)) {
      if (walk.error === walkDenied) return denyMark(policy!, vcpu, exit, walk);
      vcpu.ledger.guestFaultsReflected += 1;
      return { inject: walk.error };
    }
    let { gfn } = walk;
    const isPush = (exit.error & PF_SHADOW_STACK) !== 0;
    assert(!isPush || walk.level === 1, "shadow: a shadow stack in a large page");
    if (policy !== null) {
      gfn = reachedFrame(policy, exit.vpn, gfn);
      // What silicon may not do for the guest, the hypervisor does: then it is the one to ask about.
      const isForGuest =
        !isPush &&
        (tables.isTable(gfn) || (walk.access & ACC_WRITE) === 0 || policy.locksLinesOnly(gfn));
      const denial = judge(policy, vcpu, exit, { walk, by: isForGuest ? "emulator" : "guest" });
      if (denial !== null) return denial;
    }
    if (memory.isHole(gfn)) {
      const access = { vpn: exit.vpn, gfn, store: exit.store };
      return answerMmio(vcpu, access, { duringWalk: false, guestFrames: memory.frames });
    }
    if (exit.store !== null) {
      if (tables.isTable(gfn) && stores.take(exit, vcpu, gfn)) return "emulated";
      memory.touchForWrite(gfn);
      tracker.wrote(gfn, vcpu);
      // CR0.WP is clear and the guest's entry read-only, or some of the page's lines are locked: shadow tables cannot say
      // that, so store by store.
      const isUnsaid = (walk.access & ACC_WRITE) === 0 && !isPush;
      if (isUnsaid || policy?.locksLinesOnly(gfn) === true) {
        vcpu.emulateStore(exit, gfn);
        return "emulated";
      }
    }
    vcpu.ledger.hiddenFaults += 1;
    fillPath(tables, roots.get(vcpu.id)!, { vpn: exit.vpn, walk });
    return "resume";
  }

  const logged = loggedShadow({ vcpus, tables, flush: flushAlways, ledger });

  function answer(exit: VmExit, vcpu: VirtualCpu): Resolution {
    switch (exit.reason) {
      case "page-fault":
        return pageFault(exit, vcpu);
      case "invlpg":
        vcpu.mmu.invalidatePage(exit.vpn);
        return "resume";
      case "invpcid":
        vcpu.invalidatePcid(exit.type, exit.pcid, exit.vpn);
        return "resume";
      case "cr3-write": {
        if (policy?.isHidden(exit.cr3.root)) return denyRoot(policy, vcpu, exit.cr3.root);
        loadRoot(vcpu);
        const isOtherRoot = pcidRoots[vcpu.id]!.load(exit.cr3);
        if (!exit.cr3.keep || isOtherRoot) vcpu.mmu.flushContext(exit.cr3.pcid);
        return "resume";
      }
      case "cr0-write":
      case "cr4-write":
        setControls(platform, vcpu, exit.registers);
        lookForStacks();
        loadRoot(vcpu);
        vcpu.mmu.flushLinear();
        return "resume";
      case "cr3-read":
      case "cpuid":
      case "other":
        return "resume";
      case "ept-violation":
      case "pml-full":
      case "iret":
      case "ept-misconfiguration":
      case "sub-page-event":
        return unaskedExit("shadow", exit);
    }
  }

  function age(gfn: Gfn): boolean {
    return takeAccessed(bytes, tables.leavesOf(gfn), x86.accessed);
  }

  function unmap(start: Gfn, frames: number): void {
    dropFrames(start, frames);
    flushAlways();
  }

  function dropFrames(start: Gfn, frames: number): void {
    for (let gfn = start; gfn < start + frames; gfn = (gfn + 1) as Gfn) {
      tracker.unmapping(gfn);
      ledger().neighboursUnmapped += tables.dropFrame(gfn, { start, frames });
    }
    tables.flushNeeded = false;
  }

  function reclaim(start: Gfn, frames: number): void {
    tables.flushNeeded = true;
    for (let gfn = start; gfn < start + frames; gfn = (gfn + 1) as Gfn) {
      tracker.unmapping(gfn);
      tables.dropFrame(gfn, { start, frames });
      memory.reclaim(gfn);
      // What was a table reads as zeros now.
      mirrorRange(tables, gfn, 1);
    }
  }

  /** No store to a table is seen from here on. */
  function drop(): void {
    for (const gfn of tables.set.frames()) tables.unshadow(gfn);
    roots.clear();
    flushIfNeeded();
  }

  /** A rule, from now on: tables made by the rules before go, for silicon must not find anything wider in them. */
  function enforce(): void {
    tables.unshadowAll();
    for (const vcpu of vcpus) if (roots.has(vcpu.id)) loadRoot(vcpu);
    flushAlways();
  }

  policy?.attach({ name: "shadow", ...asShadowsCan, enforce });
  const answerHost = shadowHost({ memory, tracker, logged, policy, ledger, reclaim, tables });
  const slotDeleted = (start: Gfn, frames: number) => mirrorRange(tables, start, frames);
  const notifier: MmuNotifier = { unmap, age, flush: flushAlways, slotDeleted };
  const hypervisor: Shadow = {
    memory,
    boot(vcpu, cr3, registers) {
      setControls(platform, vcpu, registers);
      lookForStacks();
      loadRoot(vcpu);
      pcidRoots[vcpu.id]!.load(cr3);
    },
    exit(exit, vcpu) {
      // Who makes room runs beside the guest.
      memory.balance();
      serving = vcpu;
      tracker.exited(vcpu);
      const resolution = answer(exit, vcpu);
      tracker.entering(vcpu);
      flushIfNeeded();
      serving = null;
      return resolution;
    },
    host(event) {
      const report = answerHost(event);
      flushIfNeeded();
      return report;
    },
    shadowEntry(vpn) {
      const root = roots.get(0);
      return root === undefined ? null : frameIn(bytes, root, vpn);
    },
  };
  function storeToTable(exit: StoreExit, vcpu: VirtualCpu, gfn: Gfn): boolean {
    serving = vcpu;
    const isDone = stores.take(exit, vcpu, gfn);
    flushIfNeeded();
    serving = null;
    return isDone;
  }

  const leave = (vcpu: VirtualCpu) => roots.delete(vcpu.id);
  return { hypervisor, notifier, dropFrames, drop, tables, storeToTable, leave };
}

function setControls({ hasVpid }: Platform, vcpu: VirtualCpu, registers: Registers): void {
  const { pcid, levels, shadowStacks = false } = registers;
  const own = { pcid, levels, ...(shadowStacks ? { shadowStacks } : {}) };
  const walkMode: Registers = { writeProtect: true, globalPages: false, ...own };
  vcpu.setControls(shadowControls(walkMode, hasVpid));
}

export const shadow: Engine = {
  title: "shadow paging, trap-on-write: every PTE store exits and is mirrored",
  family: "shadow",
  create: (platform, options) => createShadow(platform, noTracker, options?.policy),
};
