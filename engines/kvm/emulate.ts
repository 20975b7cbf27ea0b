/**
 * A store to a shadowed table that stays protected: performed for the guest, and every shadow of the table follows.
 *
 * Source: KVM mmu.rst "Reaction to events"; rules 6 and 10 of results/groundtruth.
 */
import type { Gfn, Vpn } from "../../machine/address.ts";
import type { PendingStore, Resolution } from "../../machine/exits.ts";
import { trackWrite } from "./upper-store.ts";
import type { VcpuState, Vm } from "./vm.ts";
import { unshadow } from "./zap.ts";

export interface TrappedStore {
  readonly vpn: Vpn;
  /** Byte offset in the page. */
  readonly offset: number;
  readonly store: PendingStore | null;
}

/** The store hit a table at `gfn`. */
export function emulate(vm: Vm, state: VcpuState, exit: TrappedStore, gfn: Gfn): Resolution {
  const { vcpu } = state;
  const { vpn, offset, store } = exit;
  vm.ledger.faultsEmulated += 1;
  if (store?.kind === "page" && state.retriedVpn !== vpn) {
    // No way to write page tables: the shadow goes, the instruction is tried again. Once, for a table on
    // the instruction's own path would be shadowed again for ever.
    state.retriedVpn = vpn;
    unshadow(vm, gfn);
    return "resume";
  }
  state.retriedVpn = -1;
  vcpu.emulateStore(exit, gfn);
  vm.dirtyLog.mark(gfn);
  if (store?.kind === "page") unshadow(vm, gfn);
  else trackWrite(vm, { gfn, offset });
  return "emulated";
}
