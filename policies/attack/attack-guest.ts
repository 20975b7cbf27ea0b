/**
 * A guest under attack: booted, warmed up, its rules in force; each step of an attack is noted with what it took.
 */
import type { Gfn, Vpn } from "../../machine/address.ts";
import type { Vcpu } from "../../machine/vcpu.ts";
import type { ExitReason, Resolution } from "../../machine/exits.ts";
import type { Hypervisor } from "../../hypervisor/hypervisor.ts";
import { watched } from "../../hypervisor/watched.ts";
import { MemoryPolicy } from "../../hypervisor/policy/memory-policy.ts";
import { attachOracle, type Oracle } from "../../check/oracle/oracle.ts";
import { smallPresets } from "../../check/fuzz/small-presets.ts";
import { buildComputer } from "../../engines/computer.ts";
import { buildImage, direct, frames, guarded, guestFrames } from "./layout.ts";
import type { Scheme } from "./scheme.ts";

const goodBytes = 0x600d_0000;
export const evilBytes = 0x0bad_0000;

/** An exit of one step, and what the hypervisor made of it. */
export interface StepExit {
  readonly reason: ExitReason;
  readonly answer: "resume" | "emulated" | "skip" | "inject";
}

export interface Step {
  /** What the guest did. */
  readonly text: string;
  readonly exits: readonly StepExit[];
  /** Memory references that page walks made. */
  readonly references: number;
  readonly guestFaults: number;
}

export class AttackGuest {
  readonly steps: Step[] = [];
  readonly policy: MemoryPolicy;
  readonly vcpu: Vcpu;
  readonly hypervisor: Hypervisor;
  /** Null for schemes that are meant to break. */
  readonly oracle: Oracle | null;
  private readonly scheme: Scheme;
  private exits: StepExit[] = [];

  constructor(scheme: Scheme, isChecked: boolean) {
    this.scheme = scheme;
    this.policy = scheme.createPolicy?.() ?? new MemoryPolicy();
    const { machine, vcpu, hypervisor } = buildComputer({
      engine: scheme.engine,
      preset: smallPresets.roomy,
      guestFrames,
      slotsMax: 512,
      policy: this.policy,
    });
    this.vcpu = vcpu;
    scheme.plant?.(machine);
    this.oracle = isChecked ? attachOracle(machine, { native: false }) : null;
    this.oracle?.police(this.policy);
    const judged = this.oracle?.watch(hypervisor) ?? hypervisor;
    this.hypervisor = this.noted(scheme.answering?.(judged) ?? judged);
    bootAttacked(this.hypervisor, vcpu, scheme.shadowStacks);
  }

  /** The rules of the scheme are in force from now on. */
  lock(): void {
    for (const rule of this.scheme.rules) this.policy.enact(rule);
  }

  /** Everything an attack uses has been used, so that its exits are its own. */
  warm(): void {
    const { vcpu } = this;
    // In each view that the guest has: what takes none exits, and is forgotten below.
    for (const view of [1, 0]) {
      if (vcpu.vmfunc(view)) this.use();
    }
    this.use();
    this.steps.length = 0;
    this.exits = [];
  }

  private use(): void {
    const { vcpu } = this;
    const { root, pdpt, pd, pt, target, evil, spare } = frames;
    vcpu.load(guarded, 0);
    for (const gfn of [root, pdpt, pd, pt, target, evil, ...spare]) vcpu.read(direct(gfn));
    for (const gfn of [evil, ...spare]) vcpu.write(direct(gfn));
    // Once more than the guest may later: what a cache keeps of it, a lock has to drop.
    if (this.policy.rules.length === 0) vcpu.write(direct(target));
    vcpu.drain();
  }

  /** One act of the attacker. */
  step(text: string, act: (vcpu: Vcpu) => void): void {
    const { vcpu } = this;
    this.exits = [];
    const before = vcpu.snapshot().ledger;
    act(vcpu);
    const after = vcpu.snapshot().ledger;
    const walked = after.walkReferencesGuest + after.walkReferencesNested;
    this.steps.push({
      text,
      exits: this.exits,
      references: walked - before.walkReferencesGuest - before.walkReferencesNested,
      guestFaults: after.guestPageFaults - before.guestPageFaults,
    });
  }

  store(vpn: Vpn, index: number, low: number, text: string): void {
    this.step(text, (vcpu) => vcpu.store(vpn, index, low, 0));
  }

  private noted(hypervisor: Hypervisor): Hypervisor {
    return watched(hypervisor, {
      answered: ({ reason }, resolution) => {
        this.exits.push({ reason, answer: answerOf(resolution) });
      },
    });
  }
}

/** Boots the guest that attacks run in. */
export function bootAttacked(hypervisor: Hypervisor, vcpu: Vcpu, shadowStacks = false): void {
  const { memory } = hypervisor;
  for (let gfn = 0; gfn < guestFrames; gfn++) memory.touch(gfn as Gfn);
  for (const { gfn, index, count, low, high } of buildImage().fills()) {
    for (let i = 0; i < count; i++) memory.write(gfn, index + i, low + i * 4096, high);
  }
  memory.write(frames.target, 0, goodBytes, 0);
  memory.write(frames.evil, 0, evilBytes, 0);
  vcpu.software = { pageFault: () => "abandon" };
  vcpu.boot(
    hypervisor,
    { root: frames.root, pcid: 0, keep: false },
    { writeProtect: true, globalPages: true, pcid: false, levels: 4, shadowStacks },
  );
}

function answerOf(resolution: Resolution): StepExit["answer"] {
  return typeof resolution === "object" ? "inject" : resolution;
}
