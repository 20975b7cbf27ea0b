/**
 * #PF exits: the guest's own fault is reflected, a hidden one fixed, a store to an upper table emulated.
 *
 * Source: KVM mmu.rst "Reaction to events"; rules 6, 8 and 10 of results/groundtruth.
 */
import type { Vpn } from "../../machine/address.ts";
import { indexAt } from "../../machine/address.ts";
import { PF_PRESENT, PF_RESERVED, PF_WRITE } from "../../machine/page-fault.ts";
import { ACC_USER, ACC_WRITE, isPresent } from "../../machine/formats/x86-entry.ts";
import type { Resolution, VmExit } from "../../machine/exits.ts";
import { answerMmio } from "../../hypervisor/memory/slots.ts";
import { emulate } from "./emulate.ts";
import { childOf, isLeaf, readLow } from "./entries.ts";
import { type FaultingAccess, walkDenied, walkGuest } from "../../hypervisor/guest-walk.ts";
import { denyMark, judge, reachedFrame } from "../../hypervisor/policy/judge.ts";
import { fetch, fetchMmio } from "./fetch.ts";
import { invalidateIn } from "./invalidate.ts";
import { type ShadowPage } from "./shadow-page.ts";
import { syncPage } from "./sync.ts";
import type { VcpuState, Vm } from "./vm.ts";
import { makeRoom } from "./zap.ts";

export type PageFaultExit = Extract<VmExit, { readonly reason: "page-fault" }>;

export function answerPageFault(vm: Vm, state: VcpuState, exit: PageFaultExit): Resolution {
  const { vcpu } = state;
  const { walk } = vm;
  const { vpn, error } = exit;
  const root = state.root!.page;
  if (!walkGuest(vm, vcpu, exit, walk)) {
    if (walk.error === walkDenied) return denyMark(vm.memoryPolicy!, vcpu, exit, walk);
    return reflect(vm, state, exit);
  }
  const gfn = reachedFrame(vm.memoryPolicy, vpn, walk.gfn);
  if (vm.memoryPolicy !== null) {
    // A leaf table may go out of sync and be written by silicon; what stays protected, the hypervisor stores.
    const isForGuest = vm.pages.of(gfn).length > 0 || vm.memoryPolicy.locksLinesOnly(gfn);
    const by = isForGuest ? "emulator" : "guest";
    const denial = judge(vm.memoryPolicy, vcpu, exit, { walk, by });
    if (denial !== null) return denial;
  }
  if (vm.guest.isHole(gfn)) {
    makeRoom(vm);
    const isKnown = fetchMmio(vm, { root, vpn, walk });
    const how = { duringWalk: false, guestFrames: vm.guest.frames, isKnown };
    return answerMmio(vcpu, { vpn, gfn }, how);
  }
  vm.ledger.hiddenFaults += 1;
  const isStore = (error & PF_WRITE) !== 0;
  if (isStore) vm.guest.touchForWrite(gfn);
  if (isStore && (error & PF_PRESENT) !== 0 && vm.track.isTracked(gfn)) {
    clearFloods(vm, root, vpn);
    return emulate(vm, state, exit, gfn);
  }
  // Some lines of the page are locked, which shadow tables cannot say: store by store.
  if (isStore && vm.memoryPolicy?.locksLinesOnly(gfn) === true)
    return emulate(vm, state, exit, gfn);
  makeRoom(vm);
  if (isStore && (walk.access & ACC_WRITE) === 0) {
    // CR0.WP is clear in the guest but set on the shadow: the kernel's store needs an entry of its own.
    walk.access = (walk.access | ACC_WRITE) & ~ACC_USER;
  }
  const outcome = fetch(vm, { root, vpn, walk });
  limitUnsync(vm, state);
  if (outcome.writeProtected && isStore) return emulate(vm, state, exit, gfn);
  if (outcome.unchanged) vm.ledger.faultsSpurious += 1;
  else vm.ledger.faultsFixed += 1;
  return "resume";
}

/** The guest's tables say fault: so be it, with their error code. */
function reflect(vm: Vm, state: VcpuState, { vpn, error }: FaultingAccess): Resolution {
  const { vcpu } = state;
  const { walk } = vm;
  if (vm.policy.deprivileged) state.reflected.push({ vpn, error });
  vm.ledger.guestFaultsReflected += 1;
  if ((walk.error & (PF_PRESENT | PF_RESERVED)) === PF_PRESENT) {
    // Silicon drops what it cached for the address of a protection fault; so does its shadow.
    vcpu.mmu.invalidatePage(vpn);
    invalidateIn(vm, state.root!.page, vpn);
  }
  return { inject: walk.error };
}

/** Every page on the way to `vpn` counts as walked. */
function clearFloods(vm: Vm, root: ShadowPage, vpn: Vpn): void {
  for (let page = root; ;) {
    page.floods = 0;
    const { level } = page.key;
    const index = indexAt(vpn, level);
    const low = readLow(vm, page, index);
    if (!isPresent(low) || isLeaf(low, level)) return;
    page = childOf(vm, page, index);
  }
}

/** A vCPU with too many out-of-sync pages syncs the oldest. */
function limitUnsync(vm: Vm, { unsyncPages }: VcpuState): void {
  while (unsyncPages.length > vm.policy.unsyncPagesMaxPerVcpu) syncPage(vm, unsyncPages[0]!);
}
