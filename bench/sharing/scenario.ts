/**
 * The contract of a sharing scenario: which guests there are, and what the host does to them.
 */
import type { HostMemory } from "../../engines/host-memory.ts";
import type { Machine } from "../../machine/machine.ts";
import type { Hypervisor } from "../../machine/hypervisor.ts";

/** One guest as the host has it. */
export interface HostedGuest {
  readonly machine: Machine;
  readonly hypervisor: Hypervisor;
  readonly memory: HostMemory;
}

export interface ScenarioSettings {
  /** Accesses of a guest between two of the host's acts. */
  readonly every: number;
  /** Share of a guest's pages that may stay in memory, in percent. */
  readonly limitPercent: number;
}

export interface Scenario {
  readonly title: string;
  readonly summary: string;
  /** Guests when nobody says how many. */
  readonly guests: number;
  /** Are the guests after the first copies of it, made when its set-up is done? Otherwise each boots by itself. */
  readonly clones: boolean;
  /** Every set-up is done; nobody has gone on yet. */
  started(guests: readonly HostedGuest[], settings: ScenarioSettings): void;
  /** `every` accesses of some guest later. */
  act(guests: readonly HostedGuest[]): void;
}
