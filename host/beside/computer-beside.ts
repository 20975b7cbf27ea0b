/**
 * One computer with both: a guest on a hypervisor, and devices of the host that its drivers use under a scheme.
 *
 * Each processor runs programs and drivers; one acts at a time.
 */
import type { Engine } from "../../hypervisor/engine.ts";
import type { HostEvent } from "../../hypervisor/host-events.ts";
import type { Hypervisor } from "../../hypervisor/hypervisor.ts";
import { watched } from "../../hypervisor/watched.ts";
import { type HostMemory, hostMemoryOf } from "../../hypervisor/memory/host-memory.ts";
import type { Balloon } from "../../guest/balloon.ts";
import { type BootedKernel, bootWithDrivers, type KernelProcessor } from "../../guest/kernel.ts";
import { kernelDefaults, type KernelOptions } from "../../guest/options.ts";
import { assert } from "../../machine/assert.ts";
import { fastMmu } from "../../machine/fast.ts";
import { Machine, type MachineOptions } from "../../machine/machine.ts";
import { BesideOracle } from "../../check/dma/beside-oracle.ts";
import { attachOracle, type Oracle } from "../../check/oracle/oracle.ts";
import { DirectDma } from "../../viommu/direct-dma.ts";
import { DirtyBitsHost } from "../../viommu/dirty-dma.ts";
import { DmaMachine } from "../../viommu/dma-machine.ts";
import { dmaSchemes, type DmaSchemeName } from "../../viommu/index.ts";
import { type GuestDma, noCounts } from "../../viommu/scheme.ts";
import { DeviceDirt, type DirtyMethod } from "./device-dirt.ts";
import { homeBeside, type PinnedPages } from "./guest-beside.ts";

export interface BesideOptions {
  readonly engine: Engine;
  readonly engineName: string;
  readonly hardware: Omit<MachineOptions, "vcpus" | "placement">;
  readonly kernel: Partial<KernelOptions>;
  readonly scheme: BesideScheme;
  readonly flush: "strict" | "lazy";
  readonly devices: number;
  readonly vcpus: number;
  readonly ats: boolean;
  readonly dirty: DirtyMethod;
  /** The program's set-up is done. */
  readonly onMeasure: () => void;
}

/** Schemes with a hypervisor. */
export type BesideScheme = Exclude<DmaSchemeName, "bare" | "amd" | "riommu">;
export const isBesideScheme = (name: DmaSchemeName): name is BesideScheme =>
  dmaSchemes[name].family !== "bare";
export const besideSchemes = (Object.keys(dmaSchemes) as DmaSchemeName[]).filter(isBesideScheme);

/** By what may the host know which pages the devices of a scheme wrote? */
export function dirtyMethodsOf(scheme: BesideScheme): readonly DirtyMethod[] {
  // The guest's own first-level tables name what a device writes there: no device log can be read by them.
  if (scheme === "nested") return ["pinned"];
  return scheme === "pinned" ? ["pinned", "device-log", "d-bits"] : ["pinned", "device-log"];
}

type HostListener = (event: HostEvent) => void;

export interface ComputerBeside {
  readonly machine: Machine;
  readonly hypervisor: Hypervisor;
  /** Who hears of what the host has done. */
  readonly onHost: HostListener[];
  readonly host: HostMemory;
  readonly processors: BootedKernel["processors"];
  /** Interrupts between processors so far, for flushes. */
  readonly shootdowns: () => number;
  readonly balloon: Balloon;
  /** Runs driver code on a processor, within its running program; what it does is done when this returns. */
  readonly drive: (processor: KernelProcessor, body: () => void) => void;
  readonly dma: DmaMachine;
  readonly pages: PinnedPages;
  readonly guest: GuestDma;
  readonly cpuOracle: Oracle;
  readonly oracle: BesideOracle;
  readonly dirt: DeviceDirt;
}

export function computerBeside(options: BesideOptions): ComputerBeside {
  const { engine, engineName, hardware, scheme: name, flush, dirty } = options;
  const scheme = dmaSchemes[name];
  const machine = new Machine({ ...hardware, vcpus: options.vcpus, placement: "scatter" });
  const made = engine.create(machine);
  const cpuOracle = attachOracle(machine, { native: false, engine: engineName });
  const onHost: HostListener[] = [];
  const hypervisor = watched(cpuOracle.watch(made), {
    hostActed(event) {
      for (const hear of onHost) hear(event);
    },
  });
  const host = hostMemoryOf(made);
  const [vcpu, ...others] = machine.vcpus;
  assert(host !== null && vcpu !== undefined, `beside: ${engineName} has no host`);
  cpuOracle.isPinned = (gfn) => host.pins.has(gfn);
  const { system, balloon, processors, neighbours } = bootWithDrivers({
    vcpu,
    others,
    hypervisor,
    options: { ...kernelDefaults, ...options.kernel, seed: hardware.seed },
    onMeasure: options.onMeasure,
  });
  const running = { driver: processors[0].driver };
  const home = homeBeside(machine, host, running);
  const dma = new DmaMachine({
    home,
    preset: "vt-d",
    factory: fastMmu,
    devices: options.devices,
    scalable: scheme.scalable || dirty === "d-bits",
    ats: options.ats && !scheme.scalable && dirty !== "d-bits",
  });
  const oracle = new BesideOracle(cpuOracle, scheme.protects);
  const bits = dirty === "d-bits" ? new DirtyBitsHost(dma) : null;
  const withoutIommu = { apis: dma.devices.map(() => new DirectDma()), counts: () => noCounts };
  const guest = bits === null ? system.inKernel(() => scheme.create(dma, { flush })) : withoutIommu;
  const dirt = new DeviceDirt(dma, home, { method: dirty, bits });
  oracle.onStored = (source, page) => dirt.stored(source, page);
  return {
    machine,
    hypervisor,
    onHost,
    host,
    processors,
    shootdowns: () => neighbours?.shootdowns ?? 0,
    balloon,
    drive(processor, body) {
      running.driver = processor.driver;
      processor.system.inKernel(body);
    },
    dma,
    pages: home.pages,
    guest,
    cpuOracle,
    oracle,
    dirt,
  };
}
