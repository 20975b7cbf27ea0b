/**
 * EPT (Intel): silicon composes the guest's tables with the hypervisor's.
 *
 * Buys: PTE stores, INVLPG and CR3 writes run without a VM exit. Pays: a TLB miss walks in two dimensions, up
 * to 24 references at 4-on-4 levels, and each guest frame's first use exits once.
 *
 * Source: SDM vol. 3C 29.3 "The Extended Page Table Mechanism (EPT)"; KVM `kvm_tdp_page_fault`.
 */
import { type Gfn, levelOfOrder, pagesPerEntry } from "../machine/address.ts";
import { x86Isa } from "../machine/isa/x86.ts";
import type { Ledger } from "../machine/counters.ts";
import type { Resolution, VmExit } from "../machine/exits.ts";
import type { Hypervisor } from "../hypervisor/hypervisor.ts";
import type { VirtualCpu } from "../machine/virtual-cpu.ts";
import type { Platform } from "../hypervisor/platform.ts";
import { unaskedExit } from "../hypervisor/controls.ts";
import { nestedTables } from "../hypervisor/dirty/nested-tables.ts";
import { type LoggedTables, noTracker } from "../hypervisor/dirty/tracker.ts";
import type { Engine } from "../hypervisor/engine.ts";
import { flushVcpus, payer } from "../hypervisor/flush.ts";
import { createHostMemory, type HostMemory } from "../hypervisor/memory/host-memory.ts";
import { answerMmio } from "../hypervisor/memory/slots.ts";
import { judgeFrame } from "../hypervisor/policy/judge.ts";
import type { PolicyRule } from "../hypervisor/policy/rules.ts";
import { refuseCopies } from "../hypervisor/tables/replicas.ts";
import { policedTracker } from "../hypervisor/policy/policed-tracker.ts";
import { narrowLeaves } from "../hypervisor/policy/narrow-leaves.ts";
import { type EntryPlace, findPlace, makePlace, putEntry } from "../hypervisor/tables/radix.ts";
import { asNestedCan } from "./nested/enforcement.ts";
import { nestedHost } from "./nested/host-side.ts";
import { radixTables } from "./nested/layouts.ts";
import { flagsOf } from "./nested/nested-format.ts";
import { NodeControls } from "./nested/node-controls.ts";
import type { NestedOn, NestedScheme } from "./nested/scheme.ts";

type EptViolation = Extract<VmExit, { readonly reason: "ept-violation" }>;

/** Every nested-paging engine: entries of some format, with a dirty tracker. */
export function createNested(platform: Platform, scheme: NestedScheme): Hypervisor {
  const memory = createHostMemory(platform);
  const nested = nestedOn(platform, memory, scheme);
  memory.attach(nested.notifier);
  return nested.hypervisor;
}

/** The same on a memory that others map too: who makes it tells `notifier`. */
export function nestedOn(platform: Platform, memory: HostMemory, scheme: NestedScheme): NestedOn {
  const { format, accessedDirty, policy, createGuard, layout = radixTables } = scheme;
  const { vcpus, nodes } = platform;
  // A guard has control fields of its own, and a vCPU that moves takes its node's.
  if (createGuard !== undefined) refuseCopies(platform, "guarded or pinned pages");
  const tracker = policedTracker(scheme.tracker, policy ?? null);
  const { tree, stages } = layout(platform, scheme);
  const bytes = tree.memory;
  const byNode = new NodeControls(platform, stages);
  const controls = byNode.first;
  /** Tables that an entry is stored in. */
  const copies = nodes?.hypervisorTables === "replicated" ? nodes.count : 1;
  const { link: present, write, execute, dirty: dirtyBit } = tree.format;
  const { subPageHigh, supervisorStackHigh: stackHigh } = tree.format;
  const { leafFlags, hugeFlags } = flagsOf(controls.stages(4).at(-1)!);
  /** D in a leaf whose write the log knows: silicon need not tell it again (KVM `make_spte` sets it too). */
  const known = accessedDirty ? dirtyBit : 0;

  /** The vCPU whose exit is being answered; null while the host acts. */
  let serving: VirtualCpu | null = null;

  function allowWrite(gfn: Gfn, { table, index }: EntryPlace): void {
    const flags = tracker.isLogged(gfn) ? write | known : write;
    const [low, high] = [bytes.readLow(table, index), bytes.readHigh(table, index)];
    // What is writable in part stays read-only: a store asks for its line.
    if (policy?.locksLinesOnly(gfn) === true) bytes.write(table, index, low, high | subPageHigh);
    else bytes.write(table, index, low | flags, high);
  }

  /** The first use of a guest frame: the host provides it, the leaf maps it. */
  function map(gfn: Gfn, isWrite: boolean, vcpu: VirtualCpu): void {
    const pfn = memory.touch(gfn);
    const isLogged = tracker.isLogged(gfn);
    const hasLines = policy?.locksLinesOnly(gfn) === true;
    const isWritable = (isWrite && !hasLines) || tracker.mayMapWritable(gfn);
    const mayRun = policy === undefined || policy.mayExecute(gfn);
    const mayStore = isWritable && memory.isWritable(gfn);
    const denied = (mayRun ? 0 : execute) | (mayStore ? 0 : write);
    vcpu.ledger.entriesFilled += copies;
    for (let level = levelOfOrder(memory.orderOf(gfn)) as number; level > 1; level--) {
      if (level > tree.levels || tracker.needsSmall(gfn, level)) continue;
      const place = makePlace(tree, gfn, level);
      // A split page has a table there already and is filled piece by piece.
      if (bytes.readLow(place.table, place.index) !== 0) continue;
      const first = pfn - (gfn % pagesPerEntry(level));
      putEntry(tree, place, { frame: first, flags: hugeFlags & ~denied });
      return;
    }
    const flags = (leafFlags & ~denied) | (isWrite && isLogged ? known : 0);
    const takesMarks = memory.isWritable(gfn) && policy?.takesMarks(gfn) === true;
    const binding = policy?.isBound(gfn) === true ? tree.format.verifyHigh : 0;
    const asksLines = hasLines && memory.isWritable(gfn) ? subPageHigh : 0;
    const stack = policy?.isStack(gfn) === true ? stackHigh : 0;
    const high = binding | asksLines | stack | (takesMarks ? tree.format.pagingWriteHigh : 0);
    putEntry(tree, makePlace(tree, gfn, 1), { frame: pfn, flags, high });
  }

  function violation(exit: EptViolation, vcpu: VirtualCpu): Resolution {
    const { gfn, duringWalk } = exit;
    const isWrite = exit.access === "write";
    memory.check(gfn, exit.vpn);
    const { guestFrames } = platform;
    // Silicon tells a shadow stack's accesses from others only where a leaf has a bit for them.
    const isStack = stackHigh !== 0 && exit.isStack === true && !duringWalk;
    const denial = policy === undefined ? null : judgeFrame(policy, vcpu, { ...exit, isStack });
    if (denial !== null) return denial;
    if (memory.isHole(gfn)) return answerMmio(vcpu, exit, { duringWalk, guestFrames });
    if (isWrite) memory.touchForWrite(gfn);
    const place = findPlace(tree, gfn);
    const isMapped = (bytes.readLow(place.table, place.index) & present) !== 0;
    if (isWrite) tracker.wrote(gfn, vcpu);
    if (isWrite && subPageHigh === 0 && policy?.locksLinesOnly(gfn) === true) {
      // Silicon knows no lines: the page is read-only, and each store is done for the guest.
      vcpu.ledger.faultsEmulated += 1;
      vcpu.emulateStore(exit, gfn);
      return "emulated";
    }
    // Mapped, and may not be run: the page is the supervisor's, or nobody may.
    if (isMapped && policy !== undefined && exit.access === "fetch" && !policy.mayExecute(gfn)) {
      return policy.deny({ cpu: vcpu.id, vpn: exit.vpn, gfn, by: "fetcher" });
    }
    // Mapped, and no page of a stack: the bit is what is missing.
    if (isMapped && isStack && policy !== undefined && !policy.isStack(gfn)) {
      return policy.deny({ cpu: vcpu.id, vpn: exit.vpn, gfn, by: isWrite ? "guest" : "reader" });
    }
    if (!isMapped) map(gfn, isWrite && policy?.isStack(gfn) !== true, vcpu);
    else if (isWrite) {
      // The log protects a large leaf as a whole: its first write makes small ones of it.
      const isLarge = place.level > 1 && tracker.needsSmall(gfn, place.level);
      if (isLarge) tables.splitHuge({ start: gfn, frames: 1 });
      allowWrite(gfn, isLarge ? findPlace(tree, gfn) : place);
    }
    vcpu.ledger.faultsFixed += 1;
    return "resume";
  }

  function answer(exit: VmExit, vcpu: VirtualCpu): Resolution {
    const guarded = guard?.answer(exit, vcpu);
    if (guarded !== undefined && guarded !== null) return guarded;
    switch (exit.reason) {
      case "ept-violation":
        return violation(exit, vcpu);
      case "pml-full":
        // The tracker empties the buffer at every exit.
        return byNode.isLogging ? "resume" : unaskedExit(format, exit);
      case "cpuid":
      case "other":
        return "resume";
      case "page-fault":
      case "cr3-write":
      case "cr3-read":
      case "invlpg":
      case "invpcid":
      case "cr0-write":
      case "cr4-write":
      case "iret":
      case "ept-misconfiguration":
      case "sub-page-event":
        return unaskedExit(format, exit);
    }
  }

  const leaves = nestedTables({ tree, memory, dirtyBit, hugeFlags, ledger: () => ledger() });
  const tables: LoggedTables = {
    ...leaves,
    collapse(range, how) {
      // Walk caches may lead to the table that went, and it may serve as another one at once.
      if (leaves.collapse(range, how)) flush();
    },
    vcpus,
    flush,
    setPml: (buffers) => byNode.setLogs(buffers, vcpus),
  };

  function ledger(): Ledger {
    return payer(vcpus, serving);
  }

  function flush(): void {
    // RISC-V's and Arm's fences name the guest.
    const kind = scheme.isa === undefined ? "nested" : { vmid: vcpus[0]!.vmid };
    flushVcpus(vcpus, serving, kind);
  }

  function enforce(rule: PolicyRule): void {
    if (policy !== undefined) scheme.lines?.follow(policy, rule);
    narrowLeaves(tree, rule);
    guard?.renew();
    flush();
  }

  for (const rule of policy?.rules ?? []) scheme.lines?.follow(policy!, rule);
  const guard = policy && createGuard?.({ tree, memory, vcpus, policy, controls, flush });
  policy?.attach({ ...asNestedCan(scheme, tree, guard), enforce });
  const { notifier, host, dropFrames } = nestedHost({
    platform,
    scheme,
    tree,
    memory,
    tracker,
    tables,
    byNode,
    ledger,
    flush,
  });
  const hypervisor: Hypervisor = {
    memory,
    isa: scheme.isa ?? x86Isa,
    boot(vcpu, cr3) {
      byNode.load(vcpu);
      vcpu.setHardwareRoot(cr3.root, cr3.pcid);
      guard?.boot(vcpu, cr3);
    },
    exit(exit, vcpu) {
      memory.balance();
      serving = vcpu;
      tracker.exited(vcpu);
      const resolution = answer(exit, vcpu);
      tracker.entering(vcpu);
      serving = null;
      return resolution;
    },
    host,
  };
  return { hypervisor, notifier, controls, dropFrames, tables };
}

export const ept: Engine = {
  title: "Intel's two dimensions, with A/D bits",
  family: "nested",
  placesTables: true,
  create: (platform, options) =>
    createNested(platform, {
      format: "ept",
      accessedDirty: true,
      tracker: noTracker,
      policy: options?.policy,
    }),
};
