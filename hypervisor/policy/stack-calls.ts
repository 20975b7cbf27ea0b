/**
 * A hypervisor that answers calls by which its guest pushes return addresses to a stack that nobody may store to.
 *
 * It pushes the address behind the call, which silicon tells, and not what the guest says in a register: whoever makes the
 * program call with registers of his choice still pushes a place that the program returns to. Which entry of the stack is
 * the top is the guest's to say: an old address can be replaced by another of the program's own.
 *
 * Model: the VMM answers, so that no dirty log has the store. Bias: none.
 *
 * Source: seed of this project, a shadow stack that is read-only to its guest, written by a channel of the hypervisor's.
 */
import { entriesPerTable, type Gfn } from "../../machine/address.ts";
import type { Hypercall } from "../../machine/exits.ts";
import type { Hypervisor } from "../hypervisor.ts";

export interface StackCalls {
  /** The frame that holds the stack. */
  readonly frame: Gfn;
  /** Does it push what the guest says, whoever says it? To show what comes of that. */
  readonly trustsRegisters?: boolean;
}

/** Length of VMCALL in bytes. */
const callLength = 3;

/** The address behind a call, as halves. */
export function returnAddress({ page, offset }: Pick<Hypercall, "page" | "offset">): {
  readonly low: number;
  readonly high: number;
} {
  const pagesPerHalf = 2 ** 20;
  return {
    low: (page % pagesPerHalf) * 4096 + offset + callLength,
    high: Math.floor(page / pagesPerHalf),
  };
}

export function answeringStackCalls(
  hypervisor: Hypervisor,
  { frame, trustsRegisters = false }: StackCalls,
): Hypervisor {
  function push(call: Hypercall): void {
    if (call.index < 0 || call.index >= entriesPerTable) return;
    const { low, high } = trustsRegisters ? call : returnAddress(call);
    hypervisor.host({ kind: "write", gfn: frame, index: call.index, low, high, by: "call" });
  }
  return {
    ...hypervisor,
    memory: hypervisor.memory,
    boot: (vcpu, cr3, registers) => hypervisor.boot(vcpu, cr3, registers),
    exit(exit, vcpu) {
      if (exit.reason !== "other" || exit.call === undefined) return hypervisor.exit(exit, vcpu);
      push(exit.call);
      return "emulated";
    },
    host: (event) => hypervisor.host(event),
  };
}
