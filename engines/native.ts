/**
 * No virtualization: the guest owns the machine. The baseline that every figure is relative to.
 *
 * GPA is HPA, nothing exits, and there is no host to take a fault or to log dirty pages.
 */
import { directMemory } from "../hypervisor/direct-memory.ts";
import { bareMetalControls, type Controls } from "../machine/controls.ts";
import type { Isa } from "../machine/isa/isa.ts";
import { x86Isa } from "../machine/isa/x86.ts";
import type { Hypervisor } from "../hypervisor/hypervisor.ts";
import type { Platform } from "../hypervisor/platform.ts";
import { unaskedExit } from "../hypervisor/controls.ts";
import type { Engine } from "../hypervisor/engine.ts";

function createBare({ memory, guestFrames }: Platform, isa: Isa): Hypervisor {
  const direct = directMemory(memory, guestFrames);
  const controls: Controls = { ...bareMetalControls, stages: (levels) => [isa.stage(levels)] };
  return {
    memory: direct,
    isa,
    boot(vcpu, cr3) {
      vcpu.setControls(controls);
      vcpu.setHardwareRoot(cr3.root, cr3.pcid);
    },
    exit: (exit) => unaskedExit("native", exit),
    host(event) {
      switch (event.kind) {
        case "write":
          // There is no host, but a device stores into memory all the same.
          direct.write(event.gfn, event.index, event.low, event.high);
          return [];
        case "dirty-log-on":
        case "dirty-log-get":
        case "dirty-log-clear":
        case "dirty-log-off":
        case "reclaim":
        case "evict":
        case "snapshot":
        case "snapshot-drop":
        case "merge":
        case "memory-limit":
        case "slot-delete":
        case "slot-create":
        case "slot-move":
        case "vcpu-run":
        case "balance-tables":
          return [];
      }
    },
  };
}

/** A machine of that ISA with nothing but a guest on it. */
export function bareEngine(title: string, isa: Isa): Engine {
  return { title, family: "bare", isa, create: (platform) => createBare(platform, isa) };
}

export const native: Engine = {
  title: "no virtualization, the baseline of every figure",
  family: "bare",
  create: (platform) => createBare(platform, x86Isa),
};
