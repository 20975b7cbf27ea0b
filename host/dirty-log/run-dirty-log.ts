/**
 * `dirty_log_perf_test` on the simulated machine: populate, enable, rounds of dirty, get and clear, disable.
 *
 * Each phase is counted by itself and priced, so one command line describes the real and the simulated run.
 */
import type { Gfn } from "../../machine/address.ts";
import { ownMmu } from "../../machine/fast.ts";
import { Machine } from "../../machine/machine.ts";
import type { Ledger } from "../../machine/counters.ts";
import { attachOracle } from "../../check/oracle/oracle.ts";
import { type CostModel, price, totalCycles } from "../../bench/costs/cost.ts";
import { baselineEngine } from "../../bench/results/result.ts";
import { regionBetween, type Snapshot } from "../../machine/region.ts";
import { bootMemstress } from "./memstress.ts";
import { type DirtyLogSettings, layoutOf } from "./settings.ts";

export type PhaseName = "populate" | "enable" | "dirty" | "get" | "clear" | "disable";

export interface DirtyLogPhase {
  readonly name: PhaseName;
  /** From 1; null for the phases that happen once. */
  readonly iteration: number | null;
  /** Frames that the log reported. */
  readonly pagesReported: number;
  readonly ledger: Readonly<Ledger>;
  readonly cyclesTotal: number;
}

export interface DirtyLogRun {
  readonly cost: CostModel;
  /** Watch every access with the oracle. */
  readonly check: boolean;
}

/** Memory that holds bytes, in frames per leaf table of the guest: its own, nested, host's and shadow tables. */
const tablesPerLeafTable = 6;

/** Throws a `ConfigError` for settings that do not go together. */
export function runDirtyLog(settings: DirtyLogSettings, run: DirtyLogRun): DirtyLogPhase[] {
  const layout = layoutOf(settings);
  const machine = new Machine({
    preset: settings.preset,
    mmu: ownMmu,
    guestFrames: layout.guestFrames,
    vcpus: settings.vcpus,
    seed: settings.seed,
    backing: settings.backing,
    nestedLevels: 4,
    placement: "scatter",
    slotsMax: 65_536 + Math.ceil(layout.pages / 512) * tablesPerLeafTable,
  });
  const made = settings.factory(machine, { dirtyLog: settings.dirtyLog });
  const { engine } = settings;
  const native = engine === baselineEngine;
  const hypervisor = run.check ? attachOracle(machine, { native, engine }).watch(made) : made;
  const guest = bootMemstress({ machine, hypervisor, settings, layout });
  const phases: DirtyLogPhase[] = [];
  let then: Snapshot = machine.snapshot();
  const phase = (name: PhaseName, iteration: number | null, body: () => number | void) => {
    const pagesReported = body() ?? 0;
    const now = machine.snapshot();
    const { ledger } = regionBetween(then, now);
    then = now;
    const cyclesTotal = totalCycles(price(ledger, 0, run.cost));
    phases.push({ name, iteration, pagesReported, ledger, cyclesTotal });
  };
  const slotFrames = layout.pages / settings.slots;
  const eachSlot = (kind: "dirty-log-on" | "dirty-log-clear", chunk = slotFrames) => {
    for (let slot = 0; slot < settings.slots; slot++) {
      for (let done = 0; done < slotFrames; done += chunk) {
        const start = (layout.first + slot * slotFrames + done) as Gfn;
        hypervisor.host({ kind, start, frames: Math.min(chunk, slotFrames - done) });
      }
    }
  };
  // All pages are written in order first, so that later rounds find none of them missing.
  phase("populate", null, () => guest.run({ order: "sequential", writePercent: 100 }));
  phase("enable", null, () => eachSlot("dirty-log-on"));
  for (let iteration = 1; iteration <= settings.iterations; iteration++) {
    phase("dirty", iteration, () => guest.run(settings));
    phase("get", iteration, () => hypervisor.host({ kind: "dirty-log-get" }).length);
    if (settings.dirtyLog.armedBy !== "get") {
      phase("clear", iteration, () =>
        eachSlot("dirty-log-clear", settings.clearPages ?? slotFrames),
      );
    }
  }
  phase("disable", null, () => {
    hypervisor.host({ kind: "dirty-log-off" });
    if (settings.disabling === "running") guest.run(settings);
  });
  return phases;
}
