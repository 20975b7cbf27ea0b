/**
 * Booting the guest: the image a boot loader leaves, each processor's first CR3 and first process.
 *
 * Model: this kernel flushes after every change of an entry but a new one, where Linux spares some flushes of
 * pages that nobody used. Bias: for EPT, because each flush exits under shadow paging.
 */
import type { HostEvent } from "../hypervisor/host-events.ts";
import type { Hypervisor } from "../hypervisor/hypervisor.ts";
import type { Gfn, Vpn } from "../machine/address.ts";
import { assert } from "../machine/assert.ts";
import type { Isa } from "../machine/isa/isa.ts";
import { x86Isa } from "../machine/isa/x86.ts";
import type { NodePlan } from "../machine/nodes.ts";
import type { Vcpu } from "../machine/vcpu.ts";
import { Balloon } from "./balloon.ts";
import { balanceLoaded } from "./balance-tables.ts";
import { writeBootImage } from "./boot-image.ts";
import { Contexts } from "./contexts.ts";
import { DirectMap } from "./direct-map.ts";
import { DriverMemory } from "./driver-memory.ts";
import type { FaultParts } from "./faults.ts";
import { FrameAllocator } from "./frames.ts";
import { KernelEntry } from "./kernel-entry.ts";
import { type KernelLayout, kernelLayout } from "./layout.ts";
import { OperatingSystem } from "./operating-system.ts";
import type { KernelOptions } from "./options.ts";
import { PageCache } from "./page-cache.ts";
import { PageTables } from "./page-tables.ts";
import { Processes } from "./processes.ts";
import { Processors } from "./processors.ts";
import { TableFrames } from "./table-frames.ts";
import { holdPage } from "./user-pages.ts";
import type { World } from "./world.ts";

export interface KernelBoot {
  readonly vcpu: Vcpu;
  /** Further processors; absent: none. */
  readonly others?: readonly Vcpu[];
  readonly hypervisor: Hypervisor;
  readonly options: KernelOptions;
  /** The workload says that its set-up is done. */
  readonly onMeasure: () => void;
  /** The nodes of the machine; null or absent: one. */
  readonly nodes?: NodePlan | null;
}

/** The kernel on one of its processors. */
export interface KernelProcessor {
  readonly vcpu: Vcpu;
  readonly system: OperatingSystem;
  /** What a driver has that runs there. */
  readonly driver: DriverMemory;
  /** In the kernel: the frame behind a writable page of the running program, with a reference for a driver. */
  readonly hold: (vpn: Vpn) => Gfn;
}

export interface BootedKernel {
  /** On the first processor. */
  readonly system: OperatingSystem;
  readonly balloon: Balloon;
  readonly processors: readonly [KernelProcessor, ...KernelProcessor[]];
  /** What they owe each other; null where there is one. */
  readonly neighbours: Processors | null;
}

/** Writes the boot image, starts the vCPU on it, and brings up the first process. */
export function bootKernel(boot: KernelBoot): OperatingSystem {
  return bootWithDrivers(boot).system;
}

/** The same, with the driver by which the host takes free memory, on all processors. */
export function bootWithDrivers(boot: KernelBoot): BootedKernel {
  const { vcpu, others = [], hypervisor, options, onMeasure } = boot;
  const { memory } = hypervisor;
  const layout = kernelLayout(options.levels);
  const { isa = x86Isa } = hypervisor;
  assert(!options.kpti || isa.hasKpti, () => `kernel: no page-table isolation on ${isa.name}`);
  const image = writeBootImage(memory, layout, { ...options, isa });
  const plan = boot.nodes?.isShown === true ? boot.nodes : null;
  const nodes = plan?.count ?? 1;
  const range = { first: image.end, frames: memory.frames, nodes };
  const frames = new FrameAllocator(range, options.seed);
  const tableFrames = new TableFrames(frames, plan);
  const neighbours = others.length === 0 ? null : new Processors();
  const kernel = { frames, tableFrames, options, kernelRoot: image.root, layout, isa, neighbours };

  const core = startProcessor(vcpu, hypervisor, kernel);
  if (options.usedMemory) core.map.touch(image.end, memory.frames);
  core.entry.run("boot");
  const zeroFrame = frames.take();
  core.map.zero(zeroFrame);
  const shared = { ...kernel, zeroFrame, pageCache: new PageCache(frames) };
  const processes = new Processes();
  const world = {
    onMeasure: () => {
      if (plan?.guestTables === "migrated") balanceLoaded(first.parts, vcpu);
      onMeasure();
    },
    host: (event: HostEvent) => hypervisor.host(within(event, memory.frames)).length,
  };
  const first = startSystem(core, world, { shared, processes });
  const rest = others.map((other) => {
    const its = startProcessor(other, hypervisor, kernel);
    its.entry.run("boot");
    return startSystem(its, world, { shared, processes });
  });
  const balloon = new Balloon(frames, (event) => {
    vcpu.drain();
    hypervisor.host(event);
  });
  return { system: first.system, balloon, processors: [first, ...rest], neighbours };
}

/** What all processors of a kernel have in common from the start. */
type Kernel = Pick<FaultParts, "frames" | "tableFrames" | "options" | "kernelRoot"> & {
  readonly layout: KernelLayout;
  readonly isa: Isa;
  readonly neighbours: Processors | null;
};

interface Core {
  readonly vcpu: Vcpu;
  readonly map: DirectMap;
  readonly contexts: Contexts;
  readonly entry: KernelEntry;
}

/** A processor on the boot image's tables. */
function startProcessor(vcpu: Vcpu, hypervisor: Hypervisor, kernel: Kernel): Core {
  const { options, layout, tableFrames, neighbours } = kernel;
  const { globalPages, pcid, levels } = options;
  const registers = { writeProtect: true, globalPages, pcid, levels };
  vcpu.boot(hypervisor, { root: kernel.kernelRoot, pcid: 0, keep: false }, registers);
  vcpu.setPrivilege("supervisor");
  const nearest = (root: Gfn) => tableFrames.on(root, vcpu.node);
  const contexts = new Contexts(vcpu, options, { nearest, neighbours });
  return {
    vcpu,
    map: new DirectMap(vcpu, layout.directMap, kernel.isa, tableFrames.copies),
    contexts,
    entry: new KernelEntry(vcpu, contexts, layout),
  };
}

/** The kernel on a processor, with a process of its own. */
function startSystem(
  { vcpu, map, contexts, entry }: Core,
  world: World,
  common: {
    readonly shared: Kernel & Pick<FaultParts, "zeroFrame" | "pageCache">;
    readonly processes: Processes;
  },
): KernelProcessor & { readonly parts: FaultParts } {
  const { shared, processes } = common;
  const tableParts = { ...shared, map, contexts };
  const parts = { ...tableParts, tables: new PageTables(tableParts) };
  const system = new OperatingSystem(vcpu, world, { parts, entry, processes });
  vcpu.software = system;
  system.start();
  shared.neighbours?.join({ contexts, interrupt: (body) => system.interrupt(body) });
  return {
    vcpu,
    system,
    parts,
    driver: new DriverMemory(vcpu, map, shared.frames),
    hold: (vpn) => holdPage(parts, contexts.loaded(), vpn),
  };
}

/** A program cannot know how much memory the guest has: a range that is too long ends with memory. */
function within(event: HostEvent, frames: number): HostEvent {
  if (!("start" in event)) return event;
  return { ...event, frames: Math.min(event.frames, frames - event.start) };
}
