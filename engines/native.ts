/**
 * No virtualization: the guest owns the machine. The baseline that every figure is relative to.
 *
 * GPA is HPA, nothing exits, and there is no host to take a fault or to log dirty pages.
 */
import type { Gfn, Pfn } from "../machine/address.ts";
import { bareMetalControls } from "../machine/exit.ts";
import type { Hypervisor } from "../machine/hypervisor.ts";
import type { Machine } from "../machine/machine.ts";
import { unaskedExit } from "./controls.ts";
import { type EngineFactory, titled } from "./engine.ts";

function createNative({ memory, guestFrames }: Machine): Hypervisor {
  const pfnOf = (gfn: Gfn): Pfn => gfn as number as Pfn;
  return {
    memory: {
      frames: guestFrames,
      onReturn: null,
      isHole: () => false,
      touch: pfnOf,
      touchForWrite: pfnOf,
      readLow: (gfn, index) => memory.readLow(pfnOf(gfn), index),
      readHigh: (gfn, index) => memory.readHigh(pfnOf(gfn), index),
      write: (gfn, index, low, high) => memory.write(pfnOf(gfn), index, low, high),
    },
    boot(vcpu, cr3) {
      vcpu.setControls(bareMetalControls);
      vcpu.setHardwareRoot(cr3.root, cr3.pcid);
    },
    exit: (exit) => unaskedExit("native", exit),
    host(event) {
      switch (event.kind) {
        case "write":
          // There is no host, but a device stores into memory all the same.
          memory.write(pfnOf(event.gfn), event.index, event.low, event.high);
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
        case "vcpu-run":
          return [];
      }
    },
  };
}

export const native: EngineFactory = titled(
  "no virtualization, the baseline of every figure",
  createNative,
);
