/**
 * Roots: which shadow of which CR3 a vCPU walks, and the few that it keeps for later.
 *
 * A CR3 load rotates through the current root and the previous ones; a root outside that cache is still found
 * by its key. What a CR3 load owes (a sync of everything out of sync below the root) is done before entry.
 *
 * Source: KVM mmu.rst "Reaction to events", guest CR3 update; rules 2 and 7 of results/groundtruth.
 */
import { ACC_ALL } from "../../machine/formats/x86-entry.ts";
import type { Gfn } from "../../machine/address.ts";
import type { Cr3 } from "../../machine/registers.ts";
import { OutsideMemory } from "../../machine/outside-memory.ts";
import type { Vpn } from "../../machine/address.ts";
import { getPage } from "./find-page.ts";
import { roleAt } from "./policed.ts";
import { syncBelow, syncPage } from "./sync.ts";
import { makeRoom, type Doomed, freeDoomed, zapPage } from "./zap.ts";
import type { VirtualCpu } from "../../machine/virtual-cpu.ts";
import type { CachedRoot, VcpuState, Vm } from "./vm.ts";

/** PCIDs have 12 bits; frame and PCID together are what a cached root is known by. */
const pcidSpan = 4096;

function cr3Key({ root, pcid }: Cr3): number {
  return root * pcidSpan + pcid;
}

export function pcidOf({ cr3 }: CachedRoot): number {
  return cr3 % pcidSpan;
}

function isUsable(root: CachedRoot | null, state: VcpuState): boolean {
  const { cr3, registers } = state.vcpu;
  if (root === null || root.cr3 !== cr3Key(cr3) || root.page.invalid) return false;
  const { level, writeProtect } = root.page.key;
  return level === registers.levels && writeProtect === registers.writeProtect;
}

/** The vCPU lets go of a root. */
function release(vm: Vm, { page }: CachedRoot): void {
  page.rootCount -= 1;
  if (page.rootCount > 0 || !page.invalid) return;
  const doomed: Doomed = [];
  zapPage(vm, page, doomed);
  freeDoomed(vm, doomed);
}

/** The vCPU's CR3 changed: look for a cached root; without one `root` is null until the next entry. */
export function switchRoot(vm: Vm, state: VcpuState): void {
  if (state.root !== null && !isUsable(state.root, state)) {
    const all = [state.root, ...state.previous];
    const hit = all.findIndex((root, i) => i > 0 && isUsable(root, state));
    // The roots before the hit move down by one; without a hit the oldest falls out.
    const [picked] = all.splice(hit < 0 ? all.length - 1 : hit, 1);
    if (hit < 0 && picked) release(vm, picked);
    state.root = hit < 0 ? null : (picked ?? null);
    state.previous.splice(0, state.previous.length, ...all);
  }
  if (state.root !== null) state.root.page.floods = 0;
}

/** Lets go of all roots that `which` names; the current one is looked up again before entry. */
export function releaseRoots(vm: Vm, state: VcpuState, which: (root: CachedRoot) => boolean): void {
  state.previous.forEach((root, i) => {
    if (root === null || !which(root)) return;
    state.previous[i] = null;
    release(vm, root);
  });
  const { root } = state;
  if (root !== null && which(root)) {
    state.root = null;
    release(vm, root);
  }
}

/** The switcher has changed to the other root of the process by itself: so does what is known of the vCPU. */
export function followSwitch(vm: Vm, state: VcpuState): void {
  if (!vm.policy.directSwitch || state.root?.cr3 === cr3Key(state.vcpu.cr3)) return;
  switchRoot(vm, state);
}

/** Linux's PCIDs of one process differ in this bit: a user's has it. */
const userPcidBit = 0x800;

/** What the switcher may load: both roots of the current process, if the vCPU keeps the other one. */
function rootsToSwitch(vm: Vm, { root, previous, vcpu }: VcpuState): VirtualCpu["knownRoots"] {
  const { pcid: hasPcids, levels } = vcpu.registers;
  if (!hasPcids || vm.memoryPolicy !== null || root === null) return [];
  const pcid = pcidOf(root) ^ userPcidBit;
  const other = previous.find((one) => one !== null && pcidOf(one) === pcid) ?? null;
  if (other === null || other.page.invalid || other.page.key.level !== levels) return [];
  if (other.page.key.writeProtect !== root.page.key.writeProtect) return [];
  return [root, other].map(({ cr3, page }) => ({
    root: Math.floor(cr3 / pcidSpan) as Gfn,
    pcid: cr3 % pcidSpan,
    frame: page.table,
    isSwitched: false,
    keepsOnly: true,
  }));
}

/** Before each entry: what was asked of this vCPU is done, and a root is there. */
export function enterGuest(vm: Vm, state: VcpuState): void {
  const { vcpu } = state;
  if (state.freeRoots) {
    state.freeRoots = false;
    releaseRoots(vm, state, ({ page }) => page.invalid);
  }
  if (state.syncRoot) {
    state.syncRoot = false;
    if (state.root !== null) syncRoots(vm, state);
  }
  if (state.root === null) loadRoot(vm, state);
  vcpu.setHardwareRoot(state.root!.page.table, vcpu.cr3.pcid);
  if (vm.policy.directSwitch) vcpu.knownRoots = rootsToSwitch(vm, state);
}

/** Syncs what a CR3 load or a full flush of this vCPU owes. */
export function syncRoots(vm: Vm, state: VcpuState): void {
  if (state.root === null) return;
  if (vm.policy.cr3Syncs === "own") {
    for (const page of state.unsyncPages.slice()) if (page.unsync) syncPage(vm, page);
  }
  if (state.root.page.unsyncChildren > 0) syncBelow(vm, state.root.page);
}

function loadRoot(vm: Vm, state: VcpuState): void {
  const { cr3, registers } = state.vcpu;
  const gfn: Gfn = cr3.root;
  if (gfn >= vm.guest.frames) throw new OutsideMemory(0 as Vpn, gfn, vm.guest.frames);
  makeRoom(vm);
  const { levels: level, writeProtect } = registers;
  const role = roleAt(vm, 0, level);
  const page = getPage(vm, { gfn, level, access: ACC_ALL, direct: false, writeProtect, role });
  page.rootCount += 1;
  state.root = { page, cr3: cr3Key(cr3) };
  syncRoots(vm, state);
  // Nobody knows what the TLB holds from an earlier life of this root.
  state.vcpu.mmu.flushLinear();
}
