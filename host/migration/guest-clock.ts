/**
 * Simulated time of a guest: its counts priced, by the clock of its processor.
 *
 * The host's own thread (the one that reads the dirty log and sends pages) counts into the same ledger; what
 * happens there is set apart, for it takes a core of its own and not the guest's time.
 *
 * Model: the guest never waits for that thread, as it would for KVM's MMU lock while pages are write-protected
 * or scanned. Bias: for shadow, whose faults need the lock most often.
 *
 * Model: programs report their computation in lumps; it is spread evenly over their accesses. Bias: none, the
 * program is the same under every engine.
 */
import { addInto, createLedger, type Ledger, subtract } from "../../machine/counters.ts";
import type { Machine } from "../../machine/machine.ts";
import { type CostModel, price, totalCycles } from "../../bench/costs/cost.ts";

export interface ClockParts {
  readonly machine: Machine;
  readonly cost: CostModel;
  readonly gigahertz: number;
  /** Cycles of computation that an access stands for. */
  readonly computeCyclesPerAccess: number;
}

/** What the guest has done since the clock was started. */
export interface GuestWork {
  readonly cycles: number;
  readonly accesses: number;
}

/** How far a guest is, for whoever acts beside it. */
export interface ProgressClock {
  readonly cyclesPerMs: number;
  start(): void;
  work(): GuestWork;
  ledger(): Ledger;
}

export class GuestClock implements ProgressClock {
  readonly cyclesPerMs: number;
  private readonly parts: ClockParts;
  private readonly thread = createLedger();
  private threadCycles = 0;
  private origin: GuestWork = { cycles: 0, accesses: 0 };

  constructor(parts: ClockParts) {
    this.parts = parts;
    this.cyclesPerMs = parts.gigahertz * 1e6;
  }

  /** Counting starts here. */
  start(): void {
    this.origin = this.sinceBoot();
  }

  work(): GuestWork {
    const { cycles, accesses } = this.sinceBoot();
    const done = accesses - this.origin.accesses;
    const computed = done * this.parts.computeCyclesPerAccess;
    return { cycles: cycles - this.origin.cycles + computed, accesses: done };
  }

  /** The guest's counts since its boot, those of the host's thread left out. */
  ledger(): Ledger {
    return subtract(this.parts.machine.snapshot().ledger, this.thread);
  }

  /** Runs `body` on the host's thread; returns its result and how long it took. */
  onThread<T>(body: () => T): { readonly result: T; readonly cycles: number } {
    const { machine, cost } = this.parts;
    const before = machine.snapshot().ledger;
    const result = body();
    const spent = subtract(machine.snapshot().ledger, before);
    const cycles = totalCycles(price(spent, 0, cost));
    addInto(this.thread, spent);
    this.threadCycles += cycles;
    return { result, cycles };
  }

  /** The same for what touches neither vCPU nor log, in the middle of an access too; its time is not asked for. */
  aside(body: () => void): void {
    const { vcpus } = this.parts.machine;
    const before = vcpus.map(({ ledger }) => ({ ...ledger }));
    body();
    for (const [index, { ledger }] of vcpus.entries()) {
      const spent = subtract(ledger, before[index] ?? ledger);
      addInto(this.thread, spent);
      this.threadCycles += totalCycles(price(spent, 0, this.parts.cost));
    }
  }

  /** Prices are linear, so a difference of two sums is the price of what lies between. */
  private sinceBoot(): GuestWork {
    let cycles = -this.threadCycles;
    let accesses = 0;
    for (const vcpu of this.parts.machine.vcpus) {
      const { ledger } = vcpu.snapshot();
      cycles += totalCycles(price(ledger, 0, this.parts.cost));
      accesses += ledger.accesses;
    }
    return { cycles, accesses };
  }
}
