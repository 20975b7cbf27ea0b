/**
 * A guest that interprets its trace: every time it is entered it first fetches from its code page.
 *
 * After an exit the instruction starts again, and so does that fetch. It matters only when answering the exit
 * took the code page's mapping away (a recycled shadow page), but then it decides in which order tables are
 * made. So the hypervisor is wrapped: whatever it resumes fetches first, and may exit once more.
 */
import type { Vpn } from "../../machine/address.ts";
import type { VmExit } from "../../machine/exits.ts";
import type { Hypervisor } from "../../hypervisor/hypervisor.ts";
import type { Machine } from "../../machine/machine.ts";

/** `hypervisor`, with a fetch of `codePage` in front of every access that it resumes. */
export function refetching(hypervisor: Hypervisor, machine: Machine, codePage: Vpn): Hypervisor {
  return {
    memory: hypervisor.memory,
    boot(vcpu, cr3, registers) {
      hypervisor.boot(vcpu, cr3, registers);
    },
    exit(exit, vcpu) {
      const resolution = hypervisor.exit(exit, vcpu);
      const entered = machine.vcpus[vcpu.id];
      if (resolution === "resume" && entered !== undefined && isAccessElsewhere(exit, codePage)) {
        entered.aside(() => {
          entered.fetch(codePage);
        });
      }
      return resolution;
    },
    host(event) {
      return hypervisor.host(event);
    },
  };
}

/** The code fetch itself is repeated anyway, and a privileged instruction is done. */
function isAccessElsewhere(exit: VmExit, codePage: Vpn): boolean {
  return (exit.reason === "page-fault" || exit.reason === "ept-violation") && exit.vpn !== codePage;
}
