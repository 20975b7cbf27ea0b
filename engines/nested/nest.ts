/**
 * Puts a hypervisor into a guest: L1's engine on a platform that is a guest of L0's.
 *
 *     frames of L1's memory    [0, G)        L2's memory, in reverse order
 *                              [G, F)        L1's own: tables, and at the end its kernel's
 *
 * L2's frames lie in host memory where they would without L1, so that runs are comparable; in between, nothing lies at
 * its own number.
 *
 * Model: L1's pages of host memory are no larger than 2 MiB. Bias: both.
 */
import { type Gfn, orderOfSize, pagesPerEntry, type Pfn } from "../../machine/address.ts";
import { assert } from "../../machine/assert.ts";
import type { HostObserver } from "../../machine/observer.ts";
import type { CreateEngine, EngineOptions } from "../../hypervisor/engine.ts";
import { type HostMemory, hostMemoryOf } from "../../hypervisor/memory/host-memory.ts";
import type { Platform } from "../../hypervisor/platform.ts";
import { EnlightenedVmcs } from "./enlightened-vmcs.ts";
import { directPage, kernelTableFrames, l1Registers, loadKernel } from "./l1-kernel.ts";
import { l1Frame, L1Memory } from "./l1-memory.ts";
import type { Level0 } from "./level0.ts";
import { InnerCpu, type NestedCpu, OuterCpu } from "./nested-cpu.ts";
import { nestedHypervisor } from "./nested-hypervisor.ts";
import { Transitions } from "./transitions.ts";
import { isEnlightened, type NestingFeatures, noExits } from "./world-switch.ts";

export interface Nest {
  readonly level1: CreateEngine;
  readonly level0: (platform: Platform, options: EngineOptions) => Level0;
  readonly features: NestingFeatures;
}

/** The hypervisor for `platform` that is L0, with L1 in it. */
export function createNest({ level1, level0, features }: Nest): CreateEngine {
  return (platform, options) => {
    const layout = layoutOf(platform);
    /** L1's flushes are instructions of any kernel's, done at once; else the control block asks for them. */
    const isDirect = "hardware" in features;
    const hasPage = isEnlightened(features);
    const outers = platform.vcpus.map((l2) => new OuterCpu(l2, platform.addVcpu(l2.id)));
    const outer = level0(outerPlatform(platform, layout, outers), {
      shadowPagesMax: layout.shadowPagesMax,
    });
    const memory = memoryOf(outer.hypervisor);
    const cpus = outers.map((cpu): NestedCpu => {
      const inner = new InnerCpu(cpu.l2, hasPage ? "copied" : "in place", {
        invalidatePage(vpn) {
          transitions.flushPage(cpus[cpu.id]!, vpn);
        },
        flushContext(pcid) {
          if (isDirect) cpu.l2.mmu.flushContext(pcid);
          else cpus[cpu.id]!.isStale = true;
        },
        flush(kind) {
          if (isDirect) {
            cpu.l2.mmu.flushLinear();
            return;
          }
          const stale = cpus[cpu.id]!;
          stale.isStale = true;
          stale.owesNestedFlush ||= kind === "nested";
        },
        asked: (block) => cpus[cpu.id]?.vmcs?.store(block),
      });
      return {
        l2: cpu.l2,
        l1: cpu.l1,
        outer: cpu,
        inner,
        instructions: noExits(),
        isStale: false,
        owesNestedFlush: false,
        vmcs: null,
      };
    });
    const transitions = new Transitions(outer, cpus, features);
    bootL1(transitions, memory, layout);
    const own = new L1Memory({
      outer: memory,
      bytes: platform.memory,
      guestFrames: layout.guestFrames,
      frames: layout.frames - kernelTableFrames(layout.frames),
      running: () => transitions.running.l1,
      direct: directPage,
    });
    if (hasPage) {
      for (const cpu of cpus) {
        cpu.vmcs = new EnlightenedVmcs({ memory: own, outer: memory, l1: cpu.l1 });
      }
    }
    const hypervisor = level1(
      innerPlatform(platform, layout, { memory: own, outer: memory, cpus, hasTags: isDirect }),
      options,
    );
    return nestedHypervisor(transitions, {
      hypervisor,
      memory: memoryOf(hypervisor),
      directPages: () =>
        Array.from({ length: layout.frames }, (_, frame) => directPage(frame as Pfn)),
    });
  };
}

/** Where things lie in L1's memory. */
interface Layout {
  readonly guestFrames: number;
  readonly frames: number;
  /** Host frame of the first one that is L1's own. */
  readonly ownFrames: Pfn;
  /** L1's frame for a frame of L2's, and the other way round. */
  readonly mirror: (frame: number) => number;
  readonly backing: Platform["backing"];
  readonly shadowPagesMax: number;
}

/** Frames that L1 has beside L2's memory: at least so many, and one for so many of L2's. */
const ownFramesMin = 16_384;
const framesPerOwnFrame = 128;
/** Guests of L1's and what it keeps of them leave room for eight of this size, as where the ground truth was measured. */
const memoryPerGuest = 8;
/** KVM's limit: one shadow page for fifty frames. */
const framesPerShadowPage = 50;

function layoutOf({ guestFrames, memory, backing }: Platform): Layout {
  const largest = pagesPerEntry(2);
  const own =
    Math.ceil(Math.max(ownFramesMin, guestFrames / framesPerOwnFrame) / largest) * largest;
  const block = 2 ** orderOfSize(backing);
  const last = guestFrames / block - 1;
  return {
    guestFrames,
    frames: guestFrames + own,
    ownFrames: memory.reserve(own, largest),
    mirror: (frame) => (last - Math.floor(frame / block)) * block + (frame % block),
    backing: backing === "1g" ? "2m" : backing,
    shadowPagesMax: Math.max(
      1024,
      Math.floor((guestFrames * memoryPerGuest) / framesPerShadowPage),
    ),
  };
}

function memoryOf(hypervisor: ReturnType<CreateEngine>): HostMemory {
  const memory = hostMemoryOf(hypervisor);
  assert(memory !== null, "nested: bare metal is no level of virtualization");
  return memory;
}

/** L1's kernel runs: its exits are L0's to answer from here on. */
function bootL1(transitions: Transitions, memory: HostMemory, { frames }: Layout): void {
  const { hypervisor } = transitions.level0;
  const cr3 = loadKernel(memory, frames);
  for (const cpu of transitions.cpus) {
    cpu.outer.cr3 = cr3;
    const handler = {
      memory,
      boot: () => hypervisor.boot(cpu.outer, cr3, l1Registers),
      exit: (...[exit]: Parameters<typeof hypervisor.exit>) => transitions.exitOfL1(exit, cpu),
    };
    cpu.l1.boot(handler, cr3, l1Registers);
  }
}

/** Bare hardware as L0 sees it: its guest is L1. */
function outerPlatform(platform: Platform, layout: Layout, vcpus: readonly OuterCpu[]): Platform {
  const { guestFrames, ownFrames, mirror, frames, backing } = layout;
  return {
    memory: platform.memory,
    vcpus,
    nodes: null,
    guestFrames: frames,
    placement: (gfn) =>
      gfn < guestFrames
        ? platform.placement(mirror(gfn) as Gfn)
        : ((ownFrames + (gfn - guestFrames)) as Pfn),
    backing,
    nestedLevels: platform.nestedLevels,
    hasVpid: platform.hasVpid,
    mmioBeyond: platform.mmioBeyond,
    addVcpu: (id) => platform.addVcpu(id),
    hostObserver: null,
  };
}

interface InnerParts {
  readonly memory: L1Memory;
  readonly outer: HostMemory;
  readonly cpus: readonly NestedCpu[];
  /** Outlive cached translations L1's turn? KVM flushes at each transition on AMD. */
  readonly hasTags: boolean;
}

/** L0's guest as L1 sees it: hardware. */
function innerPlatform(
  platform: Platform,
  layout: Layout,
  { memory, outer, cpus, hasTags }: InnerParts,
): Platform {
  return {
    memory,
    vcpus: cpus.map(({ inner }) => inner),
    guestFrames: layout.guestFrames,
    placement: (gfn) => layout.mirror(gfn) as Pfn,
    backing: layout.backing,
    nestedLevels: platform.nestedLevels,
    nodes: null,
    hasVpid: hasTags && platform.hasVpid,
    mmioBeyond: false,
    addVcpu: (id) => platform.addVcpu(id),
    get hostObserver() {
      return platform.hostObserver === null ? null : observed(platform.hostObserver, outer);
    },
    set hostObserver(_observer) {
      assert(false, "nested: whoever watches L1's host watches the machine");
    },
  };
}

/** L1 tells of its frames; whoever watches the machine knows the host's. */
function observed(observer: HostObserver, outer: HostMemory): HostObserver {
  const hostFrame = (pfn: Pfn) => outer.touch(l1Frame(pfn));
  return {
    moved: (gfn, to) => observer.moved(gfn, hostFrame(to)),
    swappedOut: (gfn) => observer.swappedOut(gfn),
    exchanged: (from, to) => observer.exchanged(from, to),
    snapshotTaken: (kept) =>
      observer.snapshotTaken(new Map([...kept].map(([gfn, pfn]) => [gfn, hostFrame(pfn)]))),
    snapshotDropped: () => observer.snapshotDropped(),
  };
}
