/**
 * Agile paging: shadow tables above, the guest's own below, chosen for each part of an address space.
 *
 * Buys: walks of 4 references where a guest leaves its tables alone, stores without exits where it does not. Pays: new
 * silicon (an entry of the shadow that switches to nested walking), two kinds of tables, and both kinds of exits.
 *
 * Source: Gandhi, Hill, Swift, "Agile Paging: Exceeding the Best of Nested and Shadow Paging" (ISCA 2016).
 *
 * Model: INVLPG does not exit, because shadow tables that are always up to date have nothing to repair then. Bias: both,
 * agile paging gains on either.
 *
 * Model: a process that is nested as a whole walks from its root at a host frame, 20 references, where the paper has 24.
 * Bias: both, agile paging gains on either.
 */
import type { Gfn, Vpn } from "../machine/address.ts";
import { x86 } from "../machine/formats/x86.ts";
import { ACC_WRITE } from "../machine/formats/x86-entry.ts";
import type { Resolution, VmExit } from "../machine/exits.ts";
import type { Registers } from "../machine/registers.ts";
import { eptStage, switchingStages } from "../machine/stages.ts";
import type { VirtualCpu } from "../machine/virtual-cpu.ts";
import { shadowControls, unaskedExit } from "../hypervisor/controls.ts";
import type { Engine } from "../hypervisor/engine.ts";
import { createWalk, walkGuest, type WalkHost } from "../hypervisor/guest-walk.ts";
import type { HostEvent } from "../hypervisor/host-events.ts";
import type { Hypervisor } from "../hypervisor/hypervisor.ts";
import { isMemoryEvent } from "../hypervisor/memory/host-memory.ts";
import { answerMmio } from "../hypervisor/memory/slots.ts";
import { PcidRoots } from "../hypervisor/pcid-roots.ts";
import type { Platform } from "../hypervisor/platform.ts";
import { takeAccessed } from "../hypervisor/tables/radix.ts";
import type { AgilePolicy } from "./agile/modes.ts";
import { AgileTables } from "./agile/tables.ts";
import { fillPath } from "./shadow/fill.ts";
import { mirrorRange } from "./shadow/mirror-range.ts";
import type { ShadowTable } from "./shadow/shadow-table.ts";
import { TableStores } from "./shadow/table-stores.ts";

type PageFaultExit = Extract<VmExit, { reason: "page-fault" }>;
type EptViolation = Extract<VmExit, { reason: "ept-violation" }>;

export function createAgile(platform: Platform, policy: AgilePolicy): Hypervisor {
  const { vcpus } = platform;
  const both = new AgileTables(platform, policy);
  const { memory, shadow, host, modes } = both;
  const walk = createWalk();
  const walkHost: WalkHost = { guest: memory, memoryPolicy: null, marked: () => undefined };
  const pcidRoots = vcpus.map(() => new PcidRoots());
  const isRoot = (table: ShadowTable): boolean =>
    vcpus.some(({ cr3 }) => shadow.set.of(cr3.root).includes(table));
  const stores = new TableStores({ tables: shadow, isRoot, wrote: () => undefined });
  const nested = eptStage(host.tree.root, host.tree.levels, false);

  function setControls(vcpu: VirtualCpu, registers: Registers): void {
    // Shadow entries have no G bit; the guest's own, where silicon walks those, mean what they say.
    const walkMode: Registers = { ...registers, writeProtect: true };
    vcpu.setControls({
      ...shadowControls(walkMode, platform.hasVpid),
      stages: switchingStages(nested),
      // With CR0.WP clear the guest means something else by a read-only entry than silicon here does.
      deliversSwitchedFaults: registers.writeProtect,
      // Silicon has the guest's root beside what it walks, and reads it from there.
      exitOnCr3Read: false,
      exitOnInvlpg: false,
      exitOnInvpcid: false,
    });
  }

  /** A store to a shadowed table: done for the guest, mirrored, and counted against that table's mode. False: it is none. */
  function storeToTable(exit: PageFaultExit | EptViolation, vcpu: VirtualCpu, gfn: Gfn): boolean {
    if (!stores.take(exit, vcpu, gfn)) return false;
    const isOfData = exit.store === null || exit.store.kind === "data";
    if (!isOfData && modes.countStore(gfn)) both.toNested(gfn);
    return true;
  }

  function pageFault(exit: PageFaultExit, vcpu: VirtualCpu): Resolution {
    if (!walkGuest(walkHost, vcpu, exit, walk)) {
      vcpu.ledger.guestFaultsReflected += 1;
      return { inject: walk.error };
    }
    const { gfn } = walk;
    if (memory.isHole(gfn)) {
      const access = { vpn: exit.vpn, gfn, store: exit.store };
      return answerMmio(vcpu, access, { duringWalk: false, guestFrames: memory.frames });
    }
    if (exit.store !== null) {
      if (shadow.isTable(gfn) && storeToTable(exit, vcpu, gfn)) return "emulated";
      both.stored(gfn);
      if ((walk.access & ACC_WRITE) === 0) {
        vcpu.emulateStore(exit, gfn);
        return "emulated";
      }
    }
    vcpu.ledger.hiddenFaults += 1;
    const root = both.shadowRoot(vcpu);
    if (root !== null) fillPath(shadow, root, { vpn: exit.vpn, walk });
    host.map(gfn);
    return "resume";
  }

  function violation(exit: EptViolation, vcpu: VirtualCpu): Resolution {
    const { gfn, duringWalk } = exit;
    memory.check(gfn, exit.vpn);
    if (memory.isHole(gfn))
      return answerMmio(vcpu, exit, { duringWalk, guestFrames: memory.frames });
    if (exit.access === "write") {
      if (shadow.isTable(gfn)) {
        // Silicon sets A or D in a table that is shadowed for others: it is nested for all from now on.
        if (duringWalk) both.toNested(gfn);
        else if (storeToTable(exit, vcpu, gfn)) return "emulated";
      }
      both.stored(gfn);
    }
    host.map(gfn);
    vcpu.ledger.faultsFixed += 1;
    return "resume";
  }

  function answer(exit: VmExit, vcpu: VirtualCpu): Resolution {
    switch (exit.reason) {
      case "page-fault":
        return both.isRootless(vcpu) ? "resume" : pageFault(exit, vcpu);
      case "ept-violation":
        return violation(exit, vcpu);
      case "cr3-write": {
        both.remember(both.loadRoot(vcpu), vcpu);
        const isOtherRoot = pcidRoots[vcpu.id]!.load(exit.cr3);
        if (!exit.cr3.keep || isOtherRoot) vcpu.mmu.flushContext(exit.cr3.pcid);
        return "resume";
      }
      case "cr0-write":
      case "cr4-write":
        both.forgetRoots();
        setControls(vcpu, exit.registers);
        both.loadRoot(vcpu);
        vcpu.mmu.flushLinear();
        return "resume";
      case "cpuid":
      case "other":
        return "resume";
      case "cr3-read":
      case "invlpg":
      case "invpcid":
      case "pml-full":
      case "ept-misconfiguration":
      case "sub-page-event":
      case "iret":
        return unaskedExit("agile", exit);
    }
  }

  function endInterval(vcpu: VirtualCpu): void {
    both.serving = vcpu;
    both.endInterval();
    both.settle();
    both.serving = null;
  }

  function reclaim(start: Gfn, frames: number): void {
    both.unmap(start, frames);
    for (let gfn = start; gfn < start + frames; gfn = (gfn + 1) as Gfn) memory.reclaim(gfn);
    mirrorRange(shadow, start, frames);
  }

  function answerHost(event: HostEvent): readonly Gfn[] {
    if (isMemoryEvent(event)) {
      memory.answer(event);
      if (event.kind === "slot-create") mirrorRange(shadow, event.start, event.frames);
      return [];
    }
    switch (event.kind) {
      case "reclaim":
        reclaim(event.start, event.frames);
        return [];
      case "dirty-log-on":
      case "dirty-log-off":
      case "dirty-log-clear":
      case "dirty-log-get":
      case "vcpu-run":
      case "balance-tables":
        return [];
    }
  }

  memory.attach({
    unmap: (start, frames) => both.unmap(start, frames),
    age(gfn) {
      const isYoung = takeAccessed(platform.memory, shadow.leavesOf(gfn), x86.accessed);
      return host.age(gfn) || isYoung;
    },
    flush: () => both.flush(),
    slotDeleted: (start, frames) => both.slotDeleted(start, frames),
  });
  return {
    memory,
    boot(vcpu, cr3, registers) {
      setControls(vcpu, registers);
      memory.check(cr3.root, 0 as Vpn);
      both.loadRoot(vcpu);
      pcidRoots[vcpu.id]!.load(cr3);
      if (vcpu === vcpus[0]) vcpu.setTimer(policy.intervalAccesses, () => endInterval(vcpu));
    },
    exit(exit, vcpu) {
      memory.balance();
      both.serving = vcpu;
      const resolution = answer(exit, vcpu);
      both.settle();
      both.serving = null;
      return resolution;
    },
    host(event) {
      const report = answerHost(event);
      both.settle();
      return report;
    },
  };
}

/**
 * The paper's two stores; the others are assumed. Its interval of a second would be longer than most of what is simulated; a
 * look at a small program's tables costs some ten exits.
 */
export const agilePolicy: AgilePolicy = {
  storesMax: 2,
  intervalAccesses: 50_000,
  returns: "those without stores",
  exitCycles: 3000,
  nestedReferenceCycles: 20,
  worthCycles: 45_000,
  begins: "nested",
  knownRoots: 8,
};

export const agile: Engine = {
  title: "agile paging: shadow tables that switch to the guest's own where it stores to them",
  family: "shadow",
  create: (platform) => createAgile(platform, agilePolicy),
};
