/**
 * Booting the guest: the image a boot loader leaves, the first CR3, the first process.
 *
 * Model: this kernel flushes after every change of an entry but a new one, where Linux spares some flushes of
 * pages that nobody used. Bias: for EPT, because each flush exits under shadow paging.
 */
import type { HostEvent } from "../hypervisor/host-events.ts";
import type { Hypervisor } from "../hypervisor/hypervisor.ts";
import type { Gfn } from "../machine/address.ts";
import { assert } from "../machine/assert.ts";
import { x86Isa } from "../machine/isa/x86.ts";
import type { NodePlan } from "../machine/nodes.ts";
import type { Vcpu } from "../machine/vcpu.ts";
import { Balloon } from "./balloon.ts";
import { balanceLoaded } from "./balance-tables.ts";
import { writeBootImage } from "./boot-image.ts";
import { Contexts } from "./contexts.ts";
import { DirectMap } from "./direct-map.ts";
import { DriverMemory } from "./driver-memory.ts";
import { FrameAllocator } from "./frames.ts";
import { KernelEntry } from "./kernel-entry.ts";
import { kernelLayout } from "./layout.ts";
import { OperatingSystem } from "./operating-system.ts";
import type { KernelOptions } from "./options.ts";
import { PageCache } from "./page-cache.ts";
import { PageTables } from "./page-tables.ts";
import { TableFrames } from "./table-frames.ts";

export interface KernelBoot {
  readonly vcpu: Vcpu;
  /** Further processors, for threads of the kernel; absent: none. */
  readonly others?: readonly Vcpu[];
  readonly hypervisor: Hypervisor;
  readonly options: KernelOptions;
  /** The workload says that its set-up is done. */
  readonly onMeasure: () => void;
  /** The nodes of the machine; null or absent: one. */
  readonly nodes?: NodePlan | null;
}

export interface BootedKernel {
  readonly system: OperatingSystem;
  readonly balloon: Balloon;
  readonly driver: DriverMemory;
  /** What a driver's thread on each further processor has. */
  readonly threads: readonly DriverMemory[];
}

/** Writes the boot image, starts the vCPU on it, and brings up the first process. */
export function bootKernel(boot: KernelBoot): OperatingSystem {
  return bootWithDrivers(boot).system;
}

/** The same, with the driver by which the host takes free memory, and what others need. */
export function bootWithDrivers(boot: KernelBoot): BootedKernel {
  const { vcpu, hypervisor, options, onMeasure } = boot;
  const { memory } = hypervisor;
  const layout = kernelLayout(options.levels);
  const { isa = x86Isa } = hypervisor;
  assert(!options.kpti || isa.hasKpti, () => `kernel: no page-table isolation on ${isa.name}`);
  const image = writeBootImage(memory, layout, { ...options, isa });
  const plan = boot.nodes?.isShown === true ? boot.nodes : null;
  const nodes = plan?.count ?? 1;
  const range = { first: image.end, frames: memory.frames, nodes };
  const frames = new FrameAllocator(range, options.seed);
  startProcessor(vcpu, boot, image.root);
  const tableFrames = new TableFrames(frames, plan);
  const map = new DirectMap(vcpu, layout.directMap, isa, tableFrames.copies);
  if (options.usedMemory) map.touch(image.end, memory.frames);
  const contexts = new Contexts(vcpu, options, (root) => tableFrames.on(root, vcpu.node));
  const entry = new KernelEntry(vcpu, contexts, layout);
  entry.run("boot");
  const tableParts = { map, frames, tableFrames, contexts, options, kernelRoot: image.root };
  const zeroFrame = frames.take();
  map.zero(zeroFrame);
  const tables = new PageTables(tableParts);
  const pageCache = new PageCache(map, frames);
  const parts = { ...tableParts, tables, pageCache, zeroFrame };
  const world = {
    onMeasure: () => {
      if (plan?.guestTables === "migrated") balanceLoaded(parts, vcpu);
      onMeasure();
    },
    host: (event: HostEvent) => hypervisor.host(within(event, memory.frames)).length,
  };
  const system = new OperatingSystem(vcpu, world, { parts, entry });
  vcpu.software = system;
  system.start();
  const balloon = new Balloon(frames, (event) => {
    vcpu.drain();
    hypervisor.host(event);
  });
  const threads = (boot.others ?? []).map((other) => {
    startProcessor(other, boot, image.root);
    return new DriverMemory(other, new DirectMap(other, layout.directMap, isa), frames);
  });
  return { system, balloon, driver: new DriverMemory(vcpu, map, frames), threads };
}

/**
 * On the boot image's tables. Further processors stay there: the direct map in them never changes, so that no change of a
 * process's entries is owed to them.
 */
function startProcessor(vcpu: Vcpu, { hypervisor, options }: KernelBoot, root: Gfn): void {
  const { globalPages, pcid, levels } = options;
  const registers = { writeProtect: true, globalPages, pcid, levels };
  vcpu.boot(hypervisor, { root, pcid: 0, keep: false }, registers);
  vcpu.setPrivilege("supervisor");
}

/** A program cannot know how much memory the guest has: a range that is too long ends with memory. */
function within(event: HostEvent, frames: number): HostEvent {
  if (!("start" in event)) return event;
  return { ...event, frames: Math.min(event.frames, frames - event.start) };
}
