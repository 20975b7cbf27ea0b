/**
 * The contract of a sharing scenario: which guests there are, and what the host does to them.
 */
import type { HostMemory } from "../../hypervisor/memory/host-memory.ts";
import type { Balloon } from "../../guest/balloon.ts";
import type { KernelOptions } from "../../guest/options.ts";
import type { Machine } from "../../machine/machine.ts";
import type { Hypervisor } from "../../hypervisor/hypervisor.ts";

/** One guest as the host has it. */
export interface HostedGuest {
  readonly machine: Machine;
  readonly hypervisor: Hypervisor;
  readonly memory: HostMemory;
  readonly balloon: Balloon;
}

export interface ScenarioSettings {
  /** Accesses of a guest between two of the host's acts. */
  readonly every: number;
  /** Share of a guest's pages that may stay in memory, in percent. */
  readonly limitPercent: number;
}

/** What a guest has not used is not the host's to share or to swap. */
export const freshMemory: Partial<KernelOptions> = { usedMemory: false };

export interface Scenario {
  readonly title: string;
  readonly summary: string;
  /** Guests when nobody says how many. */
  readonly guests: number;
  /** Are the guests after the first copies of it, made when its set-up is done? Otherwise each boots by itself. */
  readonly clones: boolean;
  /** Settings that decide anything here. */
  readonly uses: readonly (keyof ScenarioSettings)[];
  /** What the guests' kernels differ in from the usual, with the scenario and without. */
  readonly kernel: Partial<KernelOptions>;
  /** Every set-up is done; nobody has gone on yet. */
  started(guests: readonly HostedGuest[], settings: ScenarioSettings): void;
  /** `every` accesses of some guest later. */
  act(guests: readonly HostedGuest[]): void;
}
