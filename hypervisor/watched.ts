/**
 * A hypervisor with somebody who looks on: whoever asks it asks what `watched` returns, and its watcher hears.
 */
import type { Gfn } from "../machine/address.ts";
import type { Resolution, VmExit } from "../machine/exits.ts";
import type { VirtualCpu } from "../machine/virtual-cpu.ts";
import type { HostEvent } from "./host-events.ts";
import type { Hypervisor } from "./hypervisor.ts";

export interface Watcher {
  /** A vCPU has left its guest; nothing is answered yet. */
  readonly exits?: (exit: VmExit, vcpu: VirtualCpu) => void;
  /** The exit is answered; the guest goes on when this returns. */
  readonly answered?: (exit: VmExit, resolution: Resolution) => void;
  /** The host is about to act: what it takes away can still be read. */
  readonly hostActs?: (event: HostEvent) => void;
  /** The host has acted, and frames were reported. */
  readonly hostActed?: (event: HostEvent, reported: readonly Gfn[]) => void;
}

export function watched<H extends Hypervisor>(hypervisor: H, watcher: Watcher): H {
  return {
    ...hypervisor,
    memory: hypervisor.memory,
    boot: (vcpu, cr3, registers) => hypervisor.boot(vcpu, cr3, registers),
    exit(exit, vcpu) {
      watcher.exits?.(exit, vcpu);
      const resolution = hypervisor.exit(exit, vcpu);
      watcher.answered?.(exit, resolution);
      return resolution;
    },
    host(event) {
      watcher.hostActs?.(event);
      const reported = hypervisor.host(event);
      watcher.hostActed?.(event, reported);
      return reported;
    },
  };
}
