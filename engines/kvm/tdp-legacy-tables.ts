/**
 * Nested tables as Linux KVM kept them before the TDP MMU: the shadow machinery with direct pages only.
 *
 * Source: KVM arch/x86/kvm/mmu/mmu.c with tdp_mmu=0; rules 4, 11, 12 and 17 of results/groundtruth, P12 of
 * results/groundtruth/intel.
 */
import { type Gfn, indexAt, pagesPerEntry, type Pfn, type Vpn } from "../../machine/address.ts";
import { ACC_ALL, isPresent, isWritable, withWrite } from "../../machine/formats/x86-entry.ts";
import type { Resolution, VmExit } from "../../machine/exits.ts";
import type { Registers } from "../../machine/registers.ts";
import type { VirtualCpu } from "../../machine/virtual-cpu.ts";
import type { EngineOptions } from "../../hypervisor/engine.ts";
import type { HostEvent } from "../../hypervisor/host-events.ts";
import { answerMmio } from "../../hypervisor/memory/slots.ts";
import type { Platform } from "../../hypervisor/platform.ts";
import { emulate } from "./emulate.ts";
import { childOf, isLeaf, MMU_WRITABLE, readLow } from "./entries.ts";
import { directChild, mappingLevel, prefetchAround } from "./fetch.ts";
import { getPage } from "./find-page.ts";
import { answerHost, notifierOf } from "./host-events.ts";
import { setLeaf } from "./leaf.ts";
import { shadowPolicies } from "./policy.ts";
import type { ShadowPage } from "./shadow-page.ts";
import { createVm, type LeafBits, type Vm } from "./vm.ts";
import { makeRoom } from "./zap.ts";

/** A VM whose nested tables are direct pages of the shadow MMU. */
export function createLegacyVm(
  platform: Platform,
  options: EngineOptions | undefined,
  bits?: LeafBits,
): Vm {
  const named = bits === undefined ? {} : { bits };
  const policy = shadowPolicies["kvm-6.1"];
  const vm = createVm(platform, { policy, kind: "nested", options, ...named });
  vm.guest.attach(notifierOf(vm));
  return vm;
}

export class LegacyTables {
  readonly memory;
  private readonly vm: Vm;
  private root: ShadowPage | null = null;

  /** One tree of direct pages for all of the VM's memory, on whichever of its vCPUs. */
  constructor(vm: Vm) {
    this.vm = vm;
    this.memory = vm.guest;
  }

  /** The root of the tables, for this vCPU's control fields. */
  boot(vcpu: VirtualCpu, registers: Registers): Pfn {
    const { vm } = this;
    vm.ledger = vcpu.ledger;
    vm.states[vcpu.id] = {
      vcpu,
      registers,
      root: null,
      previous: [],
      freeRoots: false,
      syncRoot: false,
      retriedVpn: -1,
      reflected: [],
      unsyncPages: [],
    };
    makeRoom(vm);
    const level = vm.platform.nestedLevels;
    const key = { gfn: 0 as Gfn, level, access: ACC_ALL, direct: true, role: 0 };
    this.root = getPage(vm, { ...key, writeProtect: true });
    this.root.rootCount += 1;
    return this.root.table;
  }

  fault(exit: Violation, vcpu: VirtualCpu): Resolution {
    this.vm.ledger = vcpu.ledger;
    return violation(this.vm, this.root!, exit, vcpu);
  }

  /** What silicon took for MMIO: answered as such, or a frame that has a slot again. Null if nothing says so. */
  mmio(exit: Misconfiguration, vcpu: VirtualCpu): Resolution | null {
    const { vm } = this;
    const { gfn, duringWalk } = exit;
    const { guestFrames } = vm.platform;
    const page = pageFor(vm, this.root!, gfn, 1);
    const index = indexAt(gfn, 1);
    if (readLow(vm, page, index) !== vm.bits.mmio) return null;
    if (vm.guest.isHole(gfn))
      return answerMmio(vcpu, exit, { duringWalk, guestFrames, isKnown: true });
    vm.memory.write(page.table, index, 0, 0);
    return "resume";
  }

  /** A write that silicon noted by itself. */
  mark(gfn: Gfn): void {
    this.vm.dirtyLog.mark(gfn);
  }

  get isLogging(): boolean {
    return this.vm.dirtyLog.isOn;
  }

  host(event: HostEvent): readonly Gfn[] {
    if (event.kind === "vcpu-run") return [];
    this.vm.ledger = this.vm.gauges;
    return answerHost(this.vm, event);
  }
}

type Misconfiguration = Extract<VmExit, { readonly reason: "ept-misconfiguration" }>;
type Violation = Extract<VmExit, { readonly reason: "ept-violation" }>;

function violation(vm: Vm, root: ShadowPage, exit: Violation, vcpu: VirtualCpu): Resolution {
  vm.guest.check(exit.gfn, exit.vpn);
  const { duringWalk, gfn } = exit;
  const { guestFrames } = vm.platform;
  if (vm.guest.isHole(gfn)) {
    const resolution = answerMmio(vcpu, exit, { duringWalk, guestFrames });
    if (vm.bits.mmio !== 0) markMmio(vm, root, gfn);
    return resolution;
  }
  vm.serving = vcpu;
  if (exit.access === "write") vm.guest.touchForWrite(gfn);
  const resolution = fixQuickly(vm, root, exit) ? "resume" : mapFor(vm, root, exit, vcpu);
  vm.serving = null;
  return resolution;
}

/** Maps, unless the access is a store to a table that is shadowed: only nested guests have those. */
function mapFor(vm: Vm, root: ShadowPage, exit: Violation, vcpu: VirtualCpu): Resolution {
  const { gfn, access, store, vpn } = exit;
  const isStore = access === "write";
  if (!(isStore && vm.track.isTracked(gfn))) {
    if (!map(vm, root, gfn) || !isStore) return "resume";
  }
  const offset = store?.kind === "entry" ? store.index * 8 : 0;
  return emulate(vm, vm.states[vcpu.id]!, { vpn, offset, store }, gfn);
}

/** Silicon knows the frame for MMIO from now on. */
function markMmio(vm: Vm, root: ShadowPage, gfn: Gfn): void {
  makeRoom(vm);
  const page = pageFor(vm, root, gfn, 1);
  vm.memory.write(page.table, indexAt(gfn, 1), vm.bits.mmio, 0);
}

function pageFor(vm: Vm, root: ShadowPage, gfn: Gfn, level: number): ShadowPage {
  const vpn = gfn as number as Vpn;
  let page = root;
  while (page.key.level > level) page = directChild(vm, page, { vpn, gfn, access: ACC_ALL });
  return page;
}

/** A write to an entry that only logging protects: W is set again, no more. True if that was all. */
function fixQuickly(vm: Vm, root: ShadowPage, { gfn, access }: Violation): boolean {
  if (access !== "write") return false;
  let page = root;
  let index = indexAt(gfn, page.key.level);
  let low = readLow(vm, page, index);
  while (isPresent(low) && !isLeaf(low, page.key.level)) {
    page = childOf(vm, page, index);
    index = indexAt(gfn, page.key.level);
    low = readLow(vm, page, index);
  }
  if (!isPresent(low)) return false;
  if (isWritable(low)) {
    vm.ledger.faultsSpurious += 1;
    vm.ledger.faultsFast += 1;
    return true;
  }
  // Of a large entry only one page would be reported: the slow path maps a small one instead.
  const { level } = page.key;
  if ((low & MMU_WRITABLE) === 0 || (level > 1 && vm.dirtyLog.touches(gfn, level))) return false;
  vm.memory.write(page.table, index, withWrite(low), vm.memory.readHigh(page.table, index));
  vm.dirtyLog.mark(gfn);
  vm.ledger.faultsFixed += 1;
  vm.ledger.faultsFast += 1;
  return true;
}

/** True if W was withheld because a shadowed table is there. */
function map(vm: Vm, root: ShadowPage, gfn: Gfn): boolean {
  makeRoom(vm);
  const touched = vm.guest.touch(gfn);
  const level = mappingLevel(vm, gfn, 3);
  const page = pageFor(vm, root, gfn, level);
  const offset = gfn % pagesPerEntry(level);
  const index = indexAt(gfn, level);
  const wish = {
    gfn: (gfn - offset) as Gfn,
    pfn: (touched - offset) as Pfn,
    access: ACC_ALL,
    cause: "fault",
  } as const;
  const { unchanged, writeProtected } = setLeaf(vm, page, index, wish);
  if (!unchanged) prefetchAround(vm, page, index);
  if (unchanged) vm.ledger.faultsSpurious += 1;
  else vm.ledger.faultsFixed += 1;
  return writeProtected;
}
