/**
 * The hypervisor's flush: what cached translations of every vCPU are dropped by, and counted by.
 *
 * A change of mappings owes it to all vCPUs before any of them runs on. Whoever asks runs somewhere: a vCPU that
 * exited asks on its own processor and flushes there for nothing more than the flush; a thread of the host's runs
 * no vCPU. Every other processor has to be told, and is interrupted for it.
 *
 * `remoteFlushes` counts flushes that reach at least one other processor, `remoteInterrupts` the processors reached.
 * So a guest of v vCPUs pays 1 and v - 1 for what an exit changes, nothing at all when v is 1, and 1 and v for what
 * the host changes.
 *
 * Source: KVM `kvm_flush_remote_tlbs`, whose `remote_tlb_flush` is the first count (`remote_tlb_flush_requests`, which
 * also has the flushes that reach nobody, is neither), and `kvm_make_all_cpus_request`, which interrupts.
 *
 * Model: every vCPU always runs, so none is spared the interrupt. Bias: for EPT, which flushes less often.
 */
import type { Ledger } from "../machine/counters.ts";
import type { VirtualCpu } from "../machine/virtual-cpu.ts";

/**
 * What is dropped: what is cached of the tables that CR3 names, or all that the nested tables had a part in; those of one
 * guest, by its tag, where fences name it.
 */
export type FlushKind = "linear" | "nested" | { readonly vmid: number };

/** Who acts: the vCPU whose exit is being answered, or null, a thread of the host's. */
export type Asker = VirtualCpu | null;

/** Drops cached translations of all vCPUs, and counts what reaching them takes. */
export function flushVcpus(vcpus: readonly VirtualCpu[], asker: Asker, kind: FlushKind): void {
  for (const vcpu of vcpus) {
    if (kind === "nested") vcpu.mmu.flushNested();
    else if (kind === "linear") vcpu.mmu.flushLinear();
    else vcpu.fence(kind.vmid);
  }
  if (interruptVcpus(vcpus, asker) > 0) payer(vcpus, asker).remoteFlushes += 1;
}

/** Stops all vCPUs, as an exit of each does: counts the interrupts and returns their number. */
export function interruptVcpus(vcpus: readonly VirtualCpu[], asker: Asker): number {
  const reached = asker === null ? vcpus.length : vcpus.length - 1;
  payer(vcpus, asker).remoteInterrupts += reached;
  return reached;
}

/** Where it is counted: with the vCPU that exited, or the first one for what the host does. */
export function payer(vcpus: readonly VirtualCpu[], asker: Asker): Ledger {
  return (asker ?? vcpus[0]!).ledger;
}
