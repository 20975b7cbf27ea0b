/**
 * A computer with a hypervisor on it, ready for a guest to boot: what is not said is the plainest that there is.
 */
import type { Engine, EngineOptions } from "../hypervisor/engine.ts";
import type { Hypervisor } from "../hypervisor/hypervisor.ts";
import { assert } from "../machine/assert.ts";
import { fastMmu } from "../machine/fast.ts";
import { Machine, type MachineOptions } from "../machine/machine.ts";
import type { Vcpu } from "../machine/vcpu.ts";

type Needed = "preset" | "guestFrames";

export interface ComputerOptions
  extends EngineOptions, Pick<MachineOptions, Needed>, Partial<Omit<MachineOptions, Needed>> {
  readonly engine: Engine;
}

export interface Computer {
  readonly machine: Machine;
  readonly hypervisor: Hypervisor;
  /** The first, or only, vCPU. */
  readonly vcpu: Vcpu;
}

/** One vCPU, 4 KiB host pages, four nested levels, frames scattered by seed 1, units that share their code. */
const plainest = {
  mmu: fastMmu,
  vcpus: 1,
  seed: 1,
  backing: "4k",
  nestedLevels: 4,
  placement: "scatter",
} as const satisfies Partial<MachineOptions>;

export function buildComputer({ engine, ...options }: ComputerOptions): Computer {
  const machine = new Machine({ ...plainest, ...options });
  const [vcpu] = machine.vcpus;
  assert(vcpu !== undefined, "computer: a machine without a vCPU");
  const hypervisor = engine.create(machine, options);
  const isEnforced = options.policy?.isEnforced ?? true;
  assert(isEnforced, () => `computer: ${engine.title}: enforces no policy`);
  return { machine, vcpu, hypervisor };
}
