/**
 * A hypervisor inside a guest: L0 runs L1, which runs L2, and every exit is taken by L0 first.
 *
 * L1 is an engine like any other. What it runs on (`l1-memory.ts`, `nested-cpu.ts`) is L0's guest, so its stores and the
 * instructions around each entry are a guest's: they exit or not, as L0's engine and silicon say. L0 looks at an exit of
 * L2's, answers it or reflects it into L1; at L1's VMRUN it makes what L1 asks for true.
 *
 * Source: APM vol. 2 15.5 "VMRUN"; KVM arch/x86/kvm/svm/nested.c; rules 3 to 5 of results/groundtruth/nested.
 *
 * Model: what threads of L1's host do to L2 (dirty log, reclaim, other vCPUs' flushes) interrupts L2 without an exit that
 * is counted, as interrupts are elsewhere. Bias: both, whose interrupts would be round trips.
 */
import type { Gfn, Pfn, Vpn } from "../../machine/address.ts";
import type { Ledger } from "../../machine/counters.ts";
import {
  countException,
  exitCounter,
  type ExitReason,
  isException,
  type VmExit,
} from "../../machine/exits.ts";
import type { GuestMemory, Hypervisor } from "../../hypervisor/hypervisor.ts";
import { type HostMemory, hostMemoryOf } from "../../hypervisor/memory/host-memory.ts";
import type { CascadeWatcher } from "./cascade.ts";
import { l1Frame } from "./l1-memory.ts";
import { isReflected } from "./level0.ts";
import type { NestedCpu } from "./nested-cpu.ts";
import type { Transitions } from "./transitions.ts";
import type { InstructionExits } from "./world-switch.ts";

/** What is counted of one vCPU beside its own ledger, which has all exits and what L0 does about them. */
export interface LevelCounts {
  /** What L1 counts of L2, as it would on bare hardware. */
  readonly l1: Readonly<Ledger>;
  /** What L1 executes, and the exits that it takes itself. */
  readonly l1Silicon: Readonly<Ledger>;
  /** Of those exits, the ones by instructions that no other guest executes. */
  readonly instructions: Readonly<InstructionExits>;
  /** Groups of fields that L0 took over from an enlightened VMCS; 0 where there is none. */
  readonly groupsCopied: number;
}

/** What is known of the levels of a run. */
export interface Levels {
  ofVcpu(id: number): LevelCounts;
  /** L1 writes to every frame of its memory, as one that ran other guests before has done. */
  useAllMemory(): void;
  /** L0's host swaps frames of L1's memory out: what L1 has for L2 and what it has for itself alike. */
  evict(start: Gfn, frames: number): void;
  /** L1's frame behind a frame of L2's, and the host's behind that; null where one has none. */
  placeOf(gfn: Gfn): { readonly l1: number; readonly host: number } | null;
  /** Is told of each step between the levels from now on; null: nobody is. */
  watch(watcher: CascadeWatcher | null): void;
  /** L2 executes OUT and L1 goes to user space for it, up to the VMRUN that `resume` is: where a phase ends. */
  pause(id: number): void;
  resume(id: number): void;
}

export interface NestedHypervisor extends Hypervisor {
  readonly levels: Levels;
}

/** The levels of a hypervisor that has them; null for one that runs on bare hardware. */
export function levelsOf(hypervisor: Hypervisor): Levels | null {
  return "levels" in hypervisor ? (hypervisor as NestedHypervisor).levels : null;
}

export interface Level1 {
  readonly hypervisor: Hypervisor;
  /** Its guest's memory. */
  readonly memory: HostMemory;
  /** All pages of its direct map. */
  readonly directPages: () => Iterable<Vpn>;
}

/** The hypervisor that L2 runs under: all of them. */
export function nestedHypervisor(transitions: Transitions, level1: Level1): NestedHypervisor {
  const { cpus, level0 } = transitions;
  const { hypervisor, directPages } = level1;
  return {
    memory: composedMemory(transitions, level1.memory),

    boot(vcpu, cr3, registers) {
      const cpu = cpus[vcpu.id]!;
      transitions.running = cpu;
      hypervisor.boot(cpu.inner, cr3, registers);
      transitions.prepareEntry(cpu);
      transitions.enter(cpu);
    },

    exit(exit, vcpu) {
      const cpu = cpus[vcpu.id]!;
      const answer = level0.answer(exit, cpu);
      const { reason } = isReflected(answer) ? answer.reflect : exit;
      const answeredBy = isReflected(answer) ? "L1" : "L0";
      const takenBy = isOwnException(cpu, reason) ? "L1" : "L0";
      transitions.watcher?.({ kind: "exit", from: "L2", cause: reason, takenBy, answeredBy });
      if (!isReflected(answer)) {
        vcpu.ledger.l2ExitsHandled += 1;
        return answer;
      }
      countExit(cpu, answer.reflect);
      transitions.reflect(cpu);
      const resolution = hypervisor.exit(answer.reflect, cpu.inner);
      transitions.prepareEntry(cpu);
      transitions.enter(cpu);
      return resolution;
    },

    host: (event) => transitions.asL1(() => hypervisor.host(event)),

    levels: {
      ofVcpu(id) {
        const { inner, l1, instructions, vmcs } = cpus[id]!;
        const groupsCopied = vmcs?.groupsCopied ?? 0;
        return { l1: inner.ledger, l1Silicon: l1.ledger, instructions, groupsCopied };
      },
      useAllMemory() {
        const { l1 } = cpus[0]!;
        transitions.asL1(() => {
          for (const page of directPages()) l1.write(page);
          l1.drain();
        });
      },
      evict(start, frames) {
        level0.hypervisor.host({ kind: "evict", start, frames });
      },
      placeOf(gfn) {
        const l1 = level1.memory.pfnOf(gfn);
        const outer = hostMemoryOf(level0.hypervisor);
        const host = l1 === -1 || outer === null ? -1 : outer.pfnOf(l1Frame(l1));
        return host === -1 ? null : { l1, host };
      },
      watch(watcher) {
        transitions.watcher = watcher;
      },
      pause(id) {
        const cpu = cpus[id]!;
        const { ledger } = cpu.l2;
        ledger.exits += 1;
        ledger.exitsHypervisorInstruction += 1;
        ledger.reflectedExits += 1;
        transitions.reflect(cpu);
        transitions.visitUserSpace(cpu);
        transitions.prepareEntry(cpu);
      },
      resume: (id) => transitions.enter(cpus[id]!),
    },
  };
}

/** Does L2 leave by an exception of L1's kernel, which silicon has no exit for? */
function isOwnException({ inner }: NestedCpu, reason: ExitReason): boolean {
  return inner.block.controls.deprivileged && isException[reason];
}

/** An exit of L2's in L1's counts. One without virtualization hardware is nothing that L0 reflects. */
function countExit({ inner, l2 }: NestedCpu, exit: VmExit): void {
  const { ledger, block } = inner;
  if (block.controls.deprivileged) {
    countException(ledger, exit);
    return;
  }
  ledger.exits += 1;
  ledger[exitCounter[exit.reason]] += 1;
  l2.ledger.reflectedExits += 1;
}

/** L2's memory through both maps. Whatever L1 has to store for it, it stores as L1. */
function composedMemory(transitions: Transitions, inner: HostMemory): GuestMemory {
  const outer = transitions.level0.hypervisor.memory;
  const present = (gfn: Gfn): Pfn | -1 => inner.pfnOf(gfn);
  return {
    frames: inner.frames,
    get onReturn() {
      return inner.onReturn;
    },
    set onReturn(told) {
      inner.onReturn = told;
    },
    isHole: (gfn) => inner.isHole(gfn),
    touch(gfn) {
      const frame = present(gfn);
      return outer.touch(l1Frame(frame === -1 ? transitions.asL1(() => inner.touch(gfn)) : frame));
    },
    touchForWrite(gfn) {
      const frame = inner.isWritable(gfn) ? present(gfn) : -1;
      const own = frame === -1 ? transitions.asL1(() => inner.touchForWrite(gfn)) : frame;
      return outer.touchForWrite(l1Frame(own));
    },
    readLow: (gfn, index) => inner.readLow(gfn, index),
    readHigh: (gfn, index) => inner.readHigh(gfn, index),
    write: (gfn, index, low, high) => transitions.asL1(() => inner.write(gfn, index, low, high)),
  };
}
