/**
 * Selective hardware/software paging: the whole guest under nested tables or under a shadow, whichever costs less now.
 *
 * Buys: neither the long walks of a program that rests nor the exits of one that stores to its tables, on today's silicon.
 * Pays: a shadow built anew at each change, and exits for the faults that it has to see to decide.
 *
 * Source: Wang, Zang, Wang, Luo, Li, "Selective Hardware/Software Memory Virtualization" (VEE 2011), which samples TLB misses
 * and guest page faults; the rule is ours.
 */
import type { HostEvent } from "../hypervisor/host-events.ts";
import type { Engine } from "../hypervisor/engine.ts";
import type { Hypervisor } from "../hypervisor/hypervisor.ts";
import { createHostMemory } from "../hypervisor/memory/host-memory.ts";
import type { Platform } from "../hypervisor/platform.ts";
import { noTracker } from "../hypervisor/dirty/tracker.ts";
import type { Gfn } from "../machine/address.ts";
import type { VirtualCpu } from "../machine/virtual-cpu.ts";
import { nestedOn } from "./ept.ts";
import { shadowOn } from "./shadow.ts";
import { Choice, type ShspPolicy } from "./shsp/choice.ts";

export function createShsp(platform: Platform, policy: ShspPolicy): Hypervisor {
  const { vcpus } = platform;
  const memory = createHostMemory(platform);
  const tracker = noTracker;
  const nested = nestedOn(platform, memory, { format: "ept", accessedDirty: true, tracker });
  const shadow = shadowOn(platform, memory, { log: tracker, policy: null });
  const choice = new Choice(policy);
  const current = () => (choice.mode === "nested" ? nested : shadow);
  const other = () => (choice.mode === "nested" ? shadow : nested);
  memory.attach({
    unmap(start, frames) {
      other().dropFrames(start, frames);
      current().notifier.unmap(start, frames);
    },
    slotDeleted: (start, frames) => current().notifier.slotDeleted(start, frames),
    age: (gfn) => [current(), other()].map(({ notifier }) => notifier.age(gfn)).includes(true),
    flush: () => current().notifier.flush(),
  });

  function enter(vcpu: VirtualCpu): void {
    current().hypervisor.boot(vcpu, vcpu.cr3, vcpu.registers);
  }

  /** The guest's faults in this interval exit too, to be counted. */
  function sample(isSampling: boolean): void {
    for (const vcpu of vcpus) {
      enter(vcpu);
      if (isSampling) vcpu.setControls({ ...nested.controls, exitOnPageFault: true });
    }
  }

  function endInterval(): void {
    const before = choice.mode;
    const wasSampling = choice.isSampling;
    choice.endInterval(vcpus.map((vcpu) => vcpu.counted()));
    if (choice.mode !== before) {
      if (before === "shadow") shadow.drop();
      for (const vcpu of vcpus) enter(vcpu);
    } else if (choice.isSampling !== wasSampling) {
      sample(choice.isSampling);
    }
  }

  function host(event: HostEvent): readonly Gfn[] {
    if (event.kind === "reclaim") other().dropFrames(event.start, event.frames);
    return current().hypervisor.host(event);
  }

  return {
    memory,
    boot(vcpu) {
      enter(vcpu);
      if (vcpu === vcpus[0]) vcpu.setTimer(policy.intervalAccesses, endInterval);
    },
    exit(exit, vcpu) {
      if (choice.isSampling && exit.reason === "page-fault") {
        memory.balance();
        if (!choice.sawFault()) sample(false);
        vcpu.ledger.guestFaultsReflected += 1;
        return { inject: exit.error };
      }
      return current().hypervisor.exit(exit, vcpu);
    },
    host,
  };
}

/** Intervals and prices are assumed; a program that rests is switched within three intervals. */
export const shspPolicy: ShspPolicy = {
  intervalAccesses: 10_000,
  exitCycles: 3000,
  nestedReferenceCycles: 20,
  exitsPerFault: 4,
  gain: 1.1,
  sampleEvery: 8,
};

export const shsp: Engine = {
  title: "SHSP: the whole guest nested or shadowed, by what misses and faults cost now",
  family: "shadow",
  create: (platform) => createShsp(platform, shspPolicy),
};
