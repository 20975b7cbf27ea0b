/**
 * Between the levels: L1's instructions and their exits, VMRUN, and the way back from L2 into L1.
 *
 * Source: APM vol. 2 15.5 "VMRUN Instruction"; KVM arch/x86/kvm/svm/nested.c.
 */
import type { Vpn } from "../../machine/address.ts";
import type { CounterName } from "../../machine/counters.ts";
import { exitCounter, type ExitReason, type Resolution, type VmExit } from "../../machine/exits.ts";
import type { CascadeWatcher } from "./cascade.ts";
import type { Level0 } from "./level0.ts";
import type { NestedCpu } from "./nested-cpu.ts";
import {
  exits,
  type HypervisorInstruction,
  type NestingFeatures,
  type WorldSwitch,
  worldSwitch,
} from "./world-switch.ts";

export class Transitions {
  readonly level0: Level0;
  readonly cpus: readonly NestedCpu[];
  /** The vCPU that L1's code runs on, when it runs. */
  running: NestedCpu;
  /** Hears of each step between the levels. */
  watcher: CascadeWatcher | null = null;
  private readonly features: NestingFeatures;
  /** Do cached translations of L2's outlive L1? Without virtualization hardware, PCIDs tell whose they are. */
  private readonly keepsTranslations: boolean;
  private readonly instructions: WorldSwitch;

  constructor(level0: Level0, cpus: readonly NestedCpu[], features: NestingFeatures) {
    this.level0 = level0;
    this.cpus = cpus;
    this.features = features;
    this.keepsTranslations = "hardware" in features;
    this.instructions = worldSwitch(features);
    this.running = cpus[0]!;
  }

  /** L1 exited: the same to L0 as any guest's exit. */
  exitOfL1(exit: VmExit, cpu: NestedCpu): Resolution {
    count(cpu, exitCounter[exit.reason]);
    this.noteExitOfL1(exit.reason);
    return this.level0.hypervisor.exit(exit, cpu.outer);
  }

  /** L1 executes an instruction that only hypervisors have a use for. */
  execute(cpu: NestedCpu, instruction: HypervisorInstruction | null): void {
    if (instruction === null || !exits(instruction, this.features)) return;
    cpu.instructions[instruction] += 1;
    const isEntry = instruction === this.instructions.entry;
    const counter = isEntry ? "exitsVmrun" : "exitsHypervisorInstruction";
    const { ledger } = cpu.l1;
    ledger.exits += 1;
    ledger[counter] += 1;
    count(cpu, counter);
    this.noteExitOfL1(instruction);
  }

  private noteExitOfL1(cause: ExitReason | HypervisorInstruction): void {
    this.watcher?.({ kind: "exit", from: "L1", cause, takenBy: "L0", answeredBy: "L0" });
  }

  /** INVLPGA, or INVVPID of an address. */
  flushPage(cpu: NestedCpu, vpn: Vpn): void {
    this.execute(cpu, this.instructions.flushPage);
    this.level0.invalidatePage(vpn, cpu);
  }

  /** From L2 into L1's hypervisor. */
  reflect(cpu: NestedCpu): void {
    this.running = cpu;
    this.level0.leave(cpu);
    this.noteRoot(cpu);
    cpu.vmcs?.exited();
    for (const name of this.instructions.afterExit) this.execute(cpu, name);
  }

  /** L1 lets user space do something, with its guest left. */
  visitUserSpace(cpu: NestedCpu): void {
    for (const name of this.instructions.throughUserSpace) this.execute(cpu, name);
  }

  /** What comes before VMRUN. */
  prepareEntry(cpu: NestedCpu): void {
    cpu.vmcs?.prepareEntry();
    for (const name of this.instructions.beforeEntry) this.execute(cpu, name);
  }

  /** VMRUN. */
  enter(cpu: NestedCpu): void {
    this.flushNested(cpu);
    this.execute(cpu, this.instructions.entry);
    this.load(cpu);
    this.watcher?.({ kind: "entry" });
    for (const other of this.cpus) {
      const isOwed = other.isStale && other.outer.isInL2;
      other.isStale = false;
      if (!isOwed || other === cpu) continue;
      this.level0.leave(other);
      this.noteRoot(other);
      this.load(other);
    }
  }

  /** Does what L1 does beside its vCPUs: L2 is stopped meanwhile, and entered again. */
  asL1<T>(body: () => T): T {
    const inside = this.cpus.filter(({ outer }) => outer.isInL2);
    for (const cpu of inside) {
      this.level0.leave(cpu);
      this.noteRoot(cpu);
    }
    const result = body();
    for (const cpu of inside) this.load(cpu);
    return result;
  }

  /** What L1 owes before anybody runs on, where that is more than a word in the control block. */
  private flushNested(entering: NestedCpu): void {
    const { flushNested } = this.instructions;
    if (flushNested === null) return;
    const owing = this.cpus.filter(({ owesNestedFlush }) => owesNestedFlush);
    if (owing.length === 0) return;
    const executing = flushNested.reaches === "all" ? [entering] : owing;
    for (const cpu of executing) this.execute(cpu, flushNested.instruction);
    for (const cpu of owing) cpu.owesNestedFlush = false;
  }

  /** Where L2 loads CR3 without an exit, its control block is told. */
  private noteRoot({ vmcs, inner }: NestedCpu): void {
    const { root, pcid } = inner.cr3;
    if (!inner.block.controls.exitOnCr3Write) vmcs?.saveGuestRoot(root, pcid);
  }

  private load(cpu: NestedCpu): void {
    cpu.vmcs?.fetch(cpu.inner.block);
    this.level0.enter(cpu);
    cpu.inner.block.isRootNew = false;
    if (!this.keepsTranslations) cpu.l2.mmu.flushLinear();
  }
}

/** An exit of L1's, in the counts of the whole. */
function count({ l2 }: NestedCpu, counter: CounterName): void {
  l2.ledger.exits += 1;
  l2.ledger[counter] += 1;
  l2.ledger.l1InstructionExits += 1;
}
