/**
 * What holds between the levels, on random guests: the accounting law of exits, and that L1 counts what it would count on
 * bare hardware. No formula makes it so; the counts come from the tables of both levels.
 */
import { describe, expect, test } from "vitest";
import { engines, findEngine } from "../../engines/index.ts";
import { createNest } from "../../engines/nested/nest.ts";
import { type LevelCounts, levelsOf } from "../../engines/nested/nested-hypervisor.ts";
import { shadowOnNested } from "../../engines/nested/shadow-on-nested.ts";
import {
  enlightenedVmx,
  exitingVmx,
  exits,
  type NestingFeatures,
  noHardware,
  plainSvm,
  shadowingVmx,
  worldSwitch,
} from "../../engines/nested/world-switch.ts";
import { Prng } from "../../guest/prng.ts";
import type { CreateEngine } from "../../hypervisor/engine.ts";
import type { Hypervisor } from "../../hypervisor/hypervisor.ts";
import { addInto, type CounterName, createLedger, type Ledger } from "../../machine/counters.ts";
import { exitCounter } from "../../machine/exits.ts";
import { Machine } from "../../machine/machine.ts";
import { presets } from "../../machine/presets.ts";
import type { Vcpu } from "../../machine/vcpu.ts";
import { replayDecoded } from "../../workloads/trace/replay.ts";
import { drawProgram } from "./draw-program.ts";
import type { Program } from "./program.ts";
import { chunkOf, machineFor, problemOf, type Target } from "./run-program.ts";

const programs = 12;
const opsPerProgram = 400;

function create(name: string): CreateEngine {
  const engine = findEngine(name);
  if (engine === undefined || "problem" in engine) throw new Error(`no engine ${name}`);
  return engine.create;
}

/** One vCPU, whose caches every exit empties: what is cached is not what is compared. */
function drawn(prng: Prng): Program {
  for (;;) {
    const program = drawProgram(prng, opsPerProgram);
    if (program.header.vcpus === 1 && program.isOrderly) return program;
  }
}

interface Run {
  readonly machine: Machine;
  readonly hypervisor: Hypervisor;
  /** Exits of L0's and of L1's own kernel that whoever watches the levels was told of. */
  readonly told: { l0: number; software: number };
}

function run(program: Program, factory: CreateEngine, name: string): Run {
  const target: Target = {
    engine: name,
    factory,
    native: false,
    presetName: "qemu-svm",
    preset: presets["qemu-svm"],
    nestedLevels: 4,
  };
  const machine = new Machine(machineFor(program, target));
  const { shadowPagesMax } = program.header;
  const hypervisor = factory(machine, shadowPagesMax === null ? {} : { shadowPagesMax });
  const told = { l0: 0, software: 0 };
  levelsOf(hypervisor)?.watch((step) => {
    if (step.kind === "entry") return;
    if (step.takenBy === "L0") told.l0 += 1;
    else told.software += 1;
  });
  told.l0 = machine.vcpus[0]?.ledger.exits ?? 0;
  const source = { file: "law", header: program.header, chunks: [chunkOf(program.groups.flat())] };
  const options = { fetchEachOp: false };
  try {
    replayDecoded({ machine, hypervisor, source, onPhase: () => undefined, options });
  } catch (error) {
    if (problemOf(error) !== null) throw error;
  }
  return { machine, hypervisor, told };
}

function countsOf(hypervisor: Hypervisor): LevelCounts {
  const levels = levelsOf(hypervisor);
  if (levels === null) throw new Error("no levels");
  return levels.ofVcpu(0);
}

function firstVcpu({ vcpus: [vcpu] }: Machine): Vcpu {
  if (vcpu === undefined) throw new Error("no vCPU");
  return vcpu;
}

/** All exits, and what the law says they are. */
function accounts(
  { machine, hypervisor, told }: Run,
  roundTrip: number,
  features: NestingFeatures,
) {
  const { l1, l1Silicon, instructions } = countsOf(hypervisor);
  const { ledger } = firstVcpu(machine);
  const { beforeEntry, entry } = worldSwitch(features);
  const firstEntry = [...beforeEntry, entry].filter((name) => exits(name, features));
  const flushes = instructions.invlpga + instructions.invvpid;
  const nestedFlushes = instructions.invept + instructions.vmcall;
  const ownFaults = l1Silicon.exitsPageFault + l1Silicon.exitsEptViolation;
  return {
    taken: ledger.exits,
    told: [told.l0, told.software],
    counted: [ledger.exits, ledger.softwareExits],
    law:
      roundTrip * l1.exits +
      firstEntry.length +
      flushes +
      nestedFlushes +
      ownFaults +
      ledger.l2ExitsHandled,
    l1: l1.exits + l1.softwareExits,
    spareFlushes: flushes - l1.exitsInvlpg,
    byLevel: ledger.l1InstructionExits + ledger.reflectedExits + ledger.l2ExitsHandled,
  };
}

const pairs = [
  "shadow-lazy@npt",
  "kvm-6.1@kvm-tdp",
  "npt@npt",
  "kvm-tdp@npt",
  "kvm-6.1@kvm-6.1",
  "shadow@shadow",
  "shadow-vtlb@npt",
] as const;
/** Intel's: the exit and VMRESUME are all, with VMCS shadowing. */
const intelPairs = ["ept@ept", "ept-wp@ept", "shadow-lazy@ept"] as const;
/** L0 sees nothing of L1's exits. */
const pvmPairs = ["pvm@npt", "pvm@ept"] as const;
const rounds = [
  ...pairs.map((name) => [name, 8, plainSvm] as const),
  ...intelPairs.map((name) => [name, 2, shadowingVmx] as const),
  ...pvmPairs.map((name) => [name, 0, noHardware] as const),
];

describe("exits of L0 = R x exits of L1 + INVLPGAs + L1's own faults + exits of L2 that L0 answers", () => {
  // Seen failing with VMSAVE after the exit left out, with exits that L0 answers counted as L1's, and with L1's own
  // faults that no watcher of the levels hears of.
  test.each(rounds)("%s, R = %i", (name, roundTrip, features) => {
    const prng = new Prng(17);
    let l1Exits = 0;
    for (let i = 0; i < programs; i++) {
      const { taken, law, l1, spareFlushes, byLevel, told, counted } = accounts(
        run(drawn(prng), create(name), name),
        roundTrip,
        features,
      );
      expect(taken).toBe(law);
      expect(byLevel).toBe(taken);
      expect(told).toEqual(counted);
      // The rest is for protection faults that L1 injects.
      expect(spareFlushes).toBeGreaterThanOrEqual(0);
      l1Exits += l1;
    }
    expect(l1Exits).toBeGreaterThan(100);
  });

  test.each([
    [6, { virtualGif: true, virtualVmload: false }],
    [5, { virtualGif: false, virtualVmload: true }],
    [3, { virtualGif: true, virtualVmload: true }],
    // Turtles: 11 accesses of the control block, 13 switches each way.
    [13, exitingVmx],
    [2, shadowingVmx],
    [2, enlightenedVmx],
  ] as const)("R = %i where silicon does more for L1", (roundTrip, features) => {
    const factory = createNest({
      level1: engines["shadow-lazy"].create,
      level0: (platform, options) => shadowOnNested(engines.npt.create(platform, options)),
      features,
    });
    const { taken, law, l1 } = accounts(
      run(drawn(new Prng(4)), factory, "features"),
      roundTrip,
      features,
    );
    expect(l1).toBeGreaterThan(10);
    expect(taken).toBe(law);
  });
});

/** What a hypervisor counts, and silicon's exits by reason: everything that does not depend on what is below. */
const compared = (ledger: Readonly<Ledger>): Partial<Ledger> =>
  Object.fromEntries(
    (Object.keys(ledger) as CounterName[])
      .filter((name) => exitCounts.has(name) || hypervisorCounts.includes(name))
      .map((name) => [name, ledger[name]]),
  );

const exitCounts: ReadonlySet<CounterName> = new Set([
  "exits",
  "softwareExits",
  "softwareExitsPageFault",
  ...Object.values(exitCounter),
]);
const hypervisorCounts: readonly CounterName[] = [
  "hiddenFaults",
  "guestFaultsReflected",
  "softwareWalks",
  "faultsFixed",
  "faultsSpurious",
  "faultsEmulated",
  "shadowPagesAllocated",
  "shadowPagesFound",
  "shadowPagesZapped",
  "shadowPagesFlooded",
  "shadowPagesRecycled",
  "shadowPagesUnsynced",
  "shadowPagesSynced",
  "entriesFilled",
  "entriesPrefetched",
  "entriesDropped",
  "entriesWriteProtected",
  "emulatedPteWrites",
  "hostFaults",
  "leafEntries4kNow",
];

// Seen failing with a walk that both levels' engines share, and with silicon's error code where L1's tables give another.
test.each([...pairs, ...intelPairs, ...pvmPairs])(
  "%s: L1 counts what it counts on bare hardware",
  (name) => {
    const prng = new Prng(29);
    const [inner = ""] = name.split("@");
    const sum = createLedger();
    for (let i = 0; i < programs; i++) {
      const program = drawn(prng);
      const below = run(program, create(name), name);
      const bare = run(program, create(inner), inner);
      const { l1 } = countsOf(below.hypervisor);
      addInto(sum, l1);
      expect(compared(l1)).toEqual(compared(firstVcpu(bare.machine).ledger));
    }
    expect(sum.exits + sum.softwareExits).toBeGreaterThan(100);
  },
);
