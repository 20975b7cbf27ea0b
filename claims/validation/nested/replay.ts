/**
 * One trace of what L2 executed through two levels of hypervisors, counted per phase and level.
 *
 * Conditions of the measurement: L1 ran other guests before, so all its memory is in use; all of L2's is there before it
 * starts; a phase begins in L1, right before the VMRUN that resumes L2.
 */
import type { Gfn } from "../../../machine/address.ts";
import { createLedger, type Ledger, subtract } from "../../../machine/counters.ts";
import type { CreateEngine } from "../../../hypervisor/engine.ts";
import type { Hypervisor } from "../../../hypervisor/hypervisor.ts";
import { presets } from "../../../machine/presets.ts";
import { buildComputer } from "../../../engines/computer.ts";
import { levelsOf } from "../../../engines/nested/nested-hypervisor.ts";
import type { InstructionExits } from "../../../engines/nested/world-switch.ts";
import { replayDecoded } from "../../../workloads/trace/replay.ts";
import type { DecodedTrace } from "../../../workloads/trace/vmmu.ts";
import type { NestedPhase } from "./counters.ts";

/** Tables of L2, and of two hypervisors. */
const tableSlots = 12_288;

/** Counts of every phase, in order. */
export function replayNested(source: DecodedTrace, create: CreateEngine): NestedPhase[] {
  const { memoryFrames, backing } = source.header;
  const { machine, vcpu, hypervisor } = buildComputer({
    engine: { title: "a hypervisor in a guest", family: "nested", create },
    preset: presets["qemu-svm"],
    guestFrames: memoryFrames,
    backing,
    slotsMax: memoryFrames + tableSlots,
  });
  const levels = levelsOf(hypervisor);
  if (levels === null) throw new Error("bug: validation: no hypervisor in the guest");
  const { l1, l1Silicon, instructions } = levels.ofVcpu(vcpu.id);
  const now = (): Counts => ({
    l1: { ...l1 },
    l0: { ...vcpu.ledger },
    l1Silicon: { ...l1Silicon },
    instructions: { ...instructions },
  });
  let before = now();
  const phases: NestedPhase[] = [];
  const started: Hypervisor = {
    ...hypervisor,
    boot(booted, cr3, registers) {
      hypervisor.boot(booted, cr3, registers);
      levels.pause(vcpu.id);
      // L1 counts from the creation of its guest on.
      before = { ...now(), l1: createLedger() };
      levels.resume(vcpu.id);
    },
  };
  levels.useAllMemory();
  for (let gfn = 0; gfn < machine.guestFrames; gfn++) hypervisor.memory.touch(gfn as Gfn);
  replayDecoded({
    machine,
    hypervisor: started,
    source,
    onPhase({ name }) {
      levels.pause(vcpu.id);
      const counts = now();
      phases.push({ name, ...difference(counts, before) });
      before = counts;
      levels.resume(vcpu.id);
    },
    options: { fetchEachOp: source.header.version === 2 },
  });
  return phases;
}

interface Counts {
  readonly l1: Ledger;
  readonly l0: Ledger;
  readonly l1Silicon: Ledger;
  readonly instructions: InstructionExits;
}

function difference(now: Counts, then: Counts): Counts {
  const instructions = { ...now.instructions };
  for (const name of Object.keys(instructions) as (keyof InstructionExits)[]) {
    instructions[name] -= then.instructions[name];
  }
  return {
    l1: subtract(now.l1, then.l1),
    l0: subtract(now.l0, then.l0),
    l1Silicon: subtract(now.l1Silicon, then.l1Silicon),
    instructions,
  };
}
