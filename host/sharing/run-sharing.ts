/**
 * Runs a scenario under one engine, and the same guests without it: what sharing costs and saves.
 *
 * Model: guests take turns by whole phases. All set-ups run first, the first guest's first; then the last guest
 * runs to its end, and so on back to the first. A clone runs its set-up by itself too, since the program under
 * it has no other way to get there, and then loses its memory for that of its template: same bytes, same data,
 * under a hypervisor that starts anew. Bias: both.
 */
import type { Balloon } from "../../guest/balloon.ts";
import { bootWithDrivers } from "../../guest/kernel.ts";
import { kernelDefaults, type KernelOptions } from "../../guest/options.ts";
import { Prng } from "../../guest/prng.ts";
import type { Gfn } from "../../machine/address.ts";
import { assert } from "../../machine/assert.ts";
import { addInto, createLedger, type Ledger, subtract } from "../../machine/counters.ts";
import type { Hypervisor } from "../../hypervisor/hypervisor.ts";
import { Machine, shareHost } from "../../machine/machine.ts";
import type { CreateEngine } from "../../hypervisor/engine.ts";
import { type HostMemory, hostMemoryOf } from "../../hypervisor/memory/host-memory.ts";
import type { Workload } from "../../workloads/workload.ts";
import { attachOracle, type Oracle } from "../../check/oracle/oracle.ts";
import type { ParamValues } from "../../bench/points/params.ts";
import type { PointKey } from "../../bench/results/result.ts";
import { machineOf, type RunOptions } from "../../bench/points/run-point.ts";
import { paced } from "./paced.ts";
import type { HostedGuest, Scenario, ScenarioSettings } from "./scenario.ts";
import { StampStores } from "../../check/oracle/stamp-stores.ts";

export interface SharingRun {
  readonly key: PointKey;
  readonly factory: CreateEngine;
  readonly workload: Workload;
  readonly params: ParamValues;
  /** The scenario's, without it too, so that the two runs can be compared. */
  readonly kernel: Partial<KernelOptions>;
  readonly guests: number;
  readonly settings: ScenarioSettings;
  readonly options: RunOptions;
}

export interface SharingCounts {
  /** Measured regions of all guests, summed. */
  readonly ledger: Ledger;
  /** Frames of 4 KiB that sharing saved or balloons hold, at most and at the end. */
  readonly savedPeak: number;
  readonly savedAtEnd: number;
  readonly checked: number;
}

/** Versions that guests' stores start from once they do different things, so far apart. */
const versionsApart = 2 ** 26;

interface Guest extends Omit<HostedGuest, "balloon"> {
  hypervisor: Hypervisor;
  memory: HostMemory;
  /** There once the guest has booted. */
  balloon: Balloon | null;
  readonly oracle: Oracle | null;
  readonly stamps: StampStores | null;
  start: Ledger | null;
}

/** One run; without a scenario the guests just run. */
export function runSharing(run: SharingRun, scenario: Scenario | null): SharingCounts {
  const { key, options, workload, params } = run;
  const size = { guestFrames: workload.guestFrames(params), backing: key.backing, vcpus: 1 };
  const guests = shareHost(run.guests, size).map((host) =>
    createGuest(run, new Machine({ ...machineOf(key, options), ...size, host })),
  );
  const [first, ...later] = guests;
  assert(first !== undefined, "sharing: no guest at all");
  startFrom(run, scenario, { guests, guest: first, later });
  const ledger = createLedger();
  let checked = 0;
  for (const { machine, start, oracle } of guests) {
    assert(start !== null, `sharing: ${key.workload} never says where its set-up ends`);
    addInto(ledger, subtract(machine.snapshot().ledger, start));
    oracle?.sharing.checkTables();
    oracle?.sharing.checkSnapshot();
    checked += oracle?.checked ?? 0;
  }
  const { memory } = first.machine;
  let savedPeak = memory.framesSavedPeak;
  let savedAtEnd = memory.framesSaved;
  for (const { balloon } of guests) {
    savedPeak += balloon?.heldMax ?? 0;
    savedAtEnd += balloon?.size ?? 0;
  }
  return { ledger, savedPeak, savedAtEnd, checked };
}

function createGuest({ factory, key, options }: SharingRun, machine: Machine): Guest {
  const made = factory(machine);
  const memory = hostMemoryOf(made);
  assert(memory !== null, `sharing: ${key.engine} has no host`);
  const { engine } = key;
  const oracle = options.check ? attachOracle(machine, { native: false, engine }) : null;
  const hypervisor = oracle?.watch(made) ?? made;
  const stamps = oracle === null ? new StampStores(machine) : null;
  return { machine, hypervisor, memory, oracle, stamps, balloon: null, start: null };
}

/** Whose turn it is, and whose it is next. */
interface Turn {
  readonly guests: readonly Guest[];
  readonly guest: Guest;
  readonly later: readonly Guest[];
}

/** Boots the guest, lets the later ones run when its set-up is done, and then itself. */
function startFrom(
  run: SharingRun,
  scenario: Scenario | null,
  { guests, guest, later }: Turn,
): void {
  const { key, workload, params, settings, options } = run;
  const [vcpu] = guest.machine.vcpus;
  assert(vcpu !== undefined, "sharing: a machine without a vCPU");
  const kernel = { ...kernelDefaults, ...workload.guestOptions(params), ...run.kernel };
  let isMeasured = false;
  const { system, balloon } = bootWithDrivers({
    vcpu,
    hypervisor: guest.hypervisor,
    options: {
      ...kernel,
      levels: key.guestLevels,
      seed: key.seed,
      pcid: kernel.pcid && options.preset.pcid,
    },
    onMeasure() {
      isMeasured = true;
      const [next, ...rest] = later;
      if (next === undefined) allStarted(run, scenario, guests);
      else startFrom(run, scenario, { guests, guest: next, later: rest });
    },
  });
  guest.balloon = balloon;
  const act = () => {
    if (!isMeasured) return;
    // What the program did before comes before what the host does.
    vcpu.drain();
    scenario?.act(hosted(guests));
  };
  workload.run(paced(system, settings.every, act), params, new Prng(key.seed));
  vcpu.drain();
}

function allStarted(run: SharingRun, scenario: Scenario | null, guests: readonly Guest[]): void {
  for (const { machine } of guests) for (const vcpu of machine.vcpus) vcpu.drain();
  const [template, ...others] = guests;
  if (scenario?.clones === true && template !== undefined) {
    for (const guest of others) becomeClone(run, guest, template);
  }
  for (const [i, guest] of guests.entries()) {
    guest.start = guest.machine.snapshot().ledger;
    guest.stamps?.diverge((i + 1) * versionsApart);
    guest.oracle?.frames.diverge((i + 1) * versionsApart);
  }
  scenario?.started(hosted(guests), run.settings);
}

/** The guests as a scenario sees them: all have booted. */
function hosted(guests: readonly Guest[]): HostedGuest[] {
  return guests.map(({ machine, hypervisor, memory, balloon }) => {
    assert(balloon !== null, "sharing: a guest that has not booted");
    return { machine, hypervisor, memory, balloon };
  });
}

/** The guest's own memory goes; what it has from now on is the template's. */
function becomeClone({ factory, key }: SharingRun, guest: Guest, template: Guest): void {
  const { machine, oracle } = guest;
  for (let gfn = 0; gfn < machine.guestFrames; gfn++) {
    machine.memory.zero(machine.placement(gfn as Gfn));
  }
  const made = factory(machine);
  guest.hypervisor = oracle?.watch(made) ?? made;
  const memory = hostMemoryOf(made);
  assert(memory !== null, `sharing: ${key.engine} has no host`);
  guest.memory = memory;
  if (oracle !== null && template.oracle !== null) {
    oracle.frames.inherit(template.oracle.frames);
  }
  memory.adopt(template.memory.share());
  for (const vcpu of machine.vcpus) {
    vcpu.boot(guest.hypervisor, vcpu.cr3, vcpu.registers);
    vcpu.mmu.flushLinear();
    vcpu.mmu.flushNested();
  }
}
