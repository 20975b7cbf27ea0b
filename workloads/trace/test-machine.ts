/**
 * For tests: a small machine and the simplest hypervisor there is, bare metal that writes down what it is asked.
 */
import { directMemory } from "../../hypervisor/direct-memory.ts";
import type { Gfn } from "../../machine/address.ts";
import type { HostEvent } from "../../hypervisor/host-events.ts";
import { bareMetalControls, type Controls } from "../../machine/controls.ts";
import type { VmExit } from "../../machine/exits.ts";
import { fastMmu } from "../../machine/fast.ts";
import type { Hypervisor } from "../../hypervisor/hypervisor.ts";
import { Machine } from "../../machine/machine.ts";
import { presets } from "../../machine/presets.ts";

export interface BareMetal extends Hypervisor {
  readonly events: readonly HostEvent[];
  readonly exits: readonly VmExit["reason"][];
}

export function testMachine(vcpus = 1): Machine {
  return new Machine({
    preset: presets.textbook,
    mmu: fastMmu,
    guestFrames: 0x4000,
    vcpus,
    seed: 1,
    backing: "4k",
    nestedLevels: 4,
    placement: "scatter",
  });
}

/** GPA is HPA. `controls` may make some instructions exit; they are then done as if nothing had happened. */
export function bareMetal(machine: Machine, controls: Partial<Controls> = {}): BareMetal {
  const { memory } = machine;
  const events: HostEvent[] = [];
  const exits: VmExit["reason"][] = [];
  return {
    events,
    exits,
    memory: directMemory(memory, machine.guestFrames),
    boot(vcpu, cr3) {
      vcpu.setControls({ ...bareMetalControls, ...controls });
      vcpu.setHardwareRoot(cr3.root, cr3.pcid);
    },
    exit(exit, vcpu) {
      exits.push(exit.reason);
      if (exit.reason === "cr3-write") vcpu.setHardwareRoot(exit.cr3.root, exit.cr3.pcid);
      return exit.reason === "page-fault" ? { inject: exit.error } : "emulated";
    },
    host(event) {
      events.push(event);
      return event.kind === "dirty-log-get" ? [1 as Gfn, 2 as Gfn] : [];
    },
  };
}
