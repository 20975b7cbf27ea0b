/**
 * The guest's handler of a fault returns: what it mapped is shadowed before the access runs again, which so does not fault
 * a second time.
 *
 * Source: Huang et al., "PVM" (SOSP 2023), 3.3: the return is a call, and the hypervisor fills the entry in it.
 */
import { ACC_WRITE } from "../../machine/formats/x86-entry.ts";
import { PF_WRITE } from "../../machine/page-fault.ts";
import type { Resolution } from "../../machine/exits.ts";
import { OutsideMemory } from "../../machine/outside-memory.ts";
import { type FaultingAccess, type WalkHost, walkGuest } from "../../hypervisor/guest-walk.ts";
import { fetch } from "./fetch.ts";
import type { VcpuState, Vm } from "./vm.ts";
import { makeRoom } from "./zap.ts";

/** The access has not happened, so it sets no A and no D. */
const nothingMarked: WalkHost["memoryPolicy"] = { mayStore: () => false };

function isMapped(vm: Vm, { vcpu }: VcpuState, access: FaultingAccess): boolean {
  const { walk, guest } = vm;
  const host: WalkHost = { guest, memoryPolicy: nothingMarked, marked: () => undefined };
  try {
    return walkGuest(host, vcpu, access, walk) && !guest.isHole(walk.gfn);
  } catch (error) {
    // An access there is its guest's mistake, and it may make none.
    if (error instanceof OutsideMemory) return false;
    throw error;
  }
}

/** Whatever is not plainly there is left to the fault that follows. */
export function prefault(vm: Vm, state: VcpuState): Resolution {
  const access = state.reflected.pop();
  if (access === undefined || !isMapped(vm, state, access)) return "resume";
  const { walk, guest } = vm;
  if ((access.error & PF_WRITE) !== 0) {
    if ((walk.access & ACC_WRITE) === 0 || vm.track.isTracked(walk.gfn)) return "resume";
    guest.touchForWrite(walk.gfn);
  }
  makeRoom(vm);
  fetch(vm, { root: state.root!.page, vpn: access.vpn, walk });
  return "resume";
}
