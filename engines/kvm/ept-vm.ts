/**
 * A VM on Intel's processors as KVM runs it with EPT, whichever code keeps its nested tables.
 *
 * Source: KVM arch/x86/kvm/vmx/vmx.c (`vmx_flush_pml_buffer`, `KVM_POSSIBLE_CR4_GUEST_BITS`); rules V3, P3 to P5, P8 and M1 of
 * results/groundtruth/intel.
 *
 * Model: a change of CR4.PCIDE does not exit, though KVM owns that bit. Bias: for EPT, by one exit per boot.
 */
import type { Gfn, Pfn } from "../../machine/address.ts";
import { assert } from "../../machine/assert.ts";
import type { Controls } from "../../machine/controls.ts";
import type { Resolution, VmExit } from "../../machine/exits.ts";
import type { Registers } from "../../machine/registers.ts";
import { eptStage, twoStages } from "../../machine/stages.ts";
import type { VirtualCpu } from "../../machine/virtual-cpu.ts";
import { nestedControls, unaskedExit } from "../../hypervisor/controls.ts";
import { pageModificationLog } from "../../hypervisor/dirty/pml.ts";
import type { LoggedVcpus } from "../../hypervisor/dirty/write-detector.ts";
import type { HostEvent } from "../../hypervisor/host-events.ts";
import type { Hypervisor } from "../../hypervisor/hypervisor.ts";
import type { HostMemory } from "../../hypervisor/memory/host-memory.ts";
import type { Platform } from "../../hypervisor/platform.ts";

/** Whoever keeps the nested tables. */
export interface EptTables {
  readonly memory: HostMemory;
  /** Is any memslot logged? */
  readonly isLogging: boolean;
  /** The root, for this vCPU's control fields. */
  boot(vcpu: VirtualCpu, registers: Registers): Pfn;
  fault(exit: Extract<VmExit, { readonly reason: "ept-violation" }>, vcpu: VirtualCpu): Resolution;
  /** Null when the entry does not say MMIO. */
  mmio(
    exit: Extract<VmExit, { readonly reason: "ept-misconfiguration" }>,
    vcpu: VirtualCpu,
  ): Resolution | null;
  /** A write that silicon noted by itself. */
  mark(gfn: Gfn): void;
  host(event: HostEvent): readonly Gfn[];
}

/** What silicon keeps beside the tables. */
export interface EptSilicon {
  readonly accessedDirty: boolean;
  readonly pml: boolean;
}

const logEvents: ReadonlySet<HostEvent["kind"]> = new Set([
  "dirty-log-on",
  "dirty-log-get",
  "dirty-log-clear",
  "dirty-log-off",
]);

export class EptVm implements Hypervisor {
  readonly memory;
  private readonly platform: Platform;
  private readonly tables: EptTables;
  private readonly accessedDirty: boolean;
  private readonly logged: LoggedVcpus;
  /** Null without PML. */
  private readonly pml;
  private controls: Controls | null = null;

  constructor(platform: Platform, tables: EptTables, { accessedDirty, pml }: EptSilicon) {
    const { vcpus } = platform;
    this.platform = platform;
    this.tables = tables;
    this.memory = tables.memory;
    this.accessedDirty = accessedDirty;
    this.pml = pml ? pageModificationLog(platform.memory) : null;
    this.logged = {
      vcpus,
      setPml: (buffers) => {
        const { controls } = this;
        assert(controls !== null, "kvm-ept: logging before boot");
        for (const vcpu of vcpus) {
          vcpu.setControls({ ...controls, pml: buffers?.get(vcpu.id) ?? null });
        }
      },
    };
  }

  boot(...[vcpu, cr3, registers]: Parameters<Hypervisor["boot"]>): void {
    const { nestedLevels, hasVpid } = this.platform;
    const root = this.tables.boot(vcpu, registers);
    const nested = eptStage(root, nestedLevels, this.accessedDirty);
    this.controls = { ...nestedControls(twoStages(nested), hasVpid), exitOnCr0Write: true };
    vcpu.setControls(this.controls);
    vcpu.setHardwareRoot(cr3.root, cr3.pcid);
  }

  exit(exit: VmExit, vcpu: VirtualCpu): Resolution {
    this.memory.balance();
    this.pml?.exited(vcpu, this.mark);
    switch (exit.reason) {
      case "ept-violation":
        return this.tables.fault(exit, vcpu);
      case "ept-misconfiguration":
        return this.tables.mmio(exit, vcpu) ?? unaskedExit("kvm-ept", exit);
      case "pml-full":
        // Every exit has emptied the buffer already.
        return this.pml !== null && this.tables.isLogging ? "resume" : unaskedExit("kvm-ept", exit);
      case "cpuid":
      case "other":
      case "cr0-write":
        return "resume";
      case "page-fault":
      case "cr3-write":
      case "cr3-read":
      case "cr4-write":
      case "invlpg":
      case "iret":
      case "invpcid":
      case "sub-page-event":
        return unaskedExit("kvm-ept", exit);
    }
  }

  host(event: HostEvent): readonly Gfn[] {
    const { tables } = this;
    const wasLogging = tables.isLogging;
    const isOfLog = logEvents.has(event.kind);
    // What silicon noted by itself: every vCPU is made to exit, which empties its buffer.
    if (isOfLog && wasLogging) this.pml?.sync(this.logged, this.mark);
    // One log for the whole VM, on while any slot is logged.
    if (event.kind === "dirty-log-on" && !wasLogging) this.pml?.begin(this.logged);
    const reported = tables.host(event);
    if (wasLogging && !tables.isLogging) this.pml?.end(this.logged);
    return reported;
  }

  private readonly mark = (gfn: Gfn): void => {
    this.tables.mark(gfn);
  };
}
