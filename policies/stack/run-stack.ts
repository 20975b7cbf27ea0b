/**
 * A shadow stack under one scheme: what a call and its return cost, and which attacks on it go through.
 */
import { type Ledger, subtract } from "../../machine/counters.ts";
import type { Vcpu } from "../../machine/vcpu.ts";
import { AttackGuest, evilBytes, type Step } from "../attack/attack-guest.ts";
import {
  fetchOwn,
  openPage,
  type StackAttack,
  type StackAttackName,
  stackAttacks,
} from "./stack-attacks.ts";
import { attackers } from "../attack/layout.ts";
import { call, ownStack, plainCall, pops, ret, slotAt } from "./stack-program.ts";
import { type StackScheme, type StackSchemeName, stackSchemes } from "./stack-schemes.ts";

/** Deep enough to use every call site. */
const depthMax = 8;

function bootStack(scheme: StackScheme, check: boolean): AttackGuest {
  const guest = new AttackGuest(scheme, check);
  if (scheme.isOpen === true) openPage(guest);
  guest.warm();
  guest.lock();
  guest.warm();
  guest.vcpu.fetch(attackers);
  // A call and a return before anything is counted: what they use for the first time is no part of their price.
  callAndReturn(guest.vcpu, scheme);
  return guest;
}

/** Calls down to the depth that is used, and back. */
function callAndReturn(vcpu: Vcpu, { push, pop = pops.load }: StackScheme): void {
  for (let depth = 0; depth < depthMax; depth++) call(vcpu, push, depth);
  for (let depth = depthMax - 1; depth >= 0; depth--) ret(vcpu, pop, depth);
}

/** The same with one stack. */
function callsAlone(vcpu: Vcpu): void {
  for (let depth = 0; depth < depthMax; depth++) plainCall(vcpu, depth);
  for (let depth = depthMax - 1; depth >= 0; depth--) vcpu.load(ownStack, depth);
}

export interface StackCosts {
  /** Calls, each with its return. */
  readonly calls: number;
  readonly counts: Ledger;
  /** What as many take that keep no second stack. */
  readonly alone: Ledger;
}

/** What at least so many calls and returns take. */
export function countStackCalls(name: StackSchemeName, calls: number, check = false): StackCosts {
  const scheme: StackScheme = stackSchemes[name];
  const { vcpu } = bootStack(scheme, check);
  const rounds = Math.ceil(calls / depthMax);
  const counted = (round: () => void): Ledger => {
    const before = vcpu.snapshot().ledger;
    for (let i = 0; i < rounds; i++) round();
    return subtract(vcpu.snapshot().ledger, before);
  };
  return {
    calls: rounds * depthMax,
    counts: counted(() => callAndReturn(vcpu, scheme)),
    alone: counted(() => callsAlone(vcpu)),
  };
}

export interface StackOutcome {
  readonly scheme: StackSchemeName;
  readonly attack: StackAttackName;
  /** Broken: both stacks say the attacker's address, and the program returns there. */
  readonly isBroken: boolean;
  readonly exits: number;
  readonly steps: readonly Step[];
  /** Acts that the policy denied. */
  readonly denied: number;
}

/** A scheme that is changed under its name. */
export interface NamedScheme {
  readonly name: StackSchemeName;
  readonly scheme: StackScheme;
}

/** With `check` every access is judged by the oracle, which stops at the first that a rule forbids. */
export function attackStack(
  of: StackSchemeName | NamedScheme,
  attack: StackAttackName,
  check = false,
): StackOutcome {
  const { name, scheme } = typeof of === "string" ? { name: of, scheme: stackSchemes[of] } : of;
  const program: StackAttack = stackAttacks[attack];
  const guest = bootStack(scheme, check);
  const depth = 3;
  call(guest.vcpu, scheme.push, depth);
  guest.steps.length = 0;
  const deniedBefore = guest.policy.denied;
  guest.store(ownStack, slotAt(depth).index, evilBytes, "store the program's own stack, evil");
  fetchOwn(guest);
  program.run(guest, depth);
  let returned = { own: 0, shadow: 0 };
  guest.step("ret: load both stacks", (vcpu) => {
    returned = ret(vcpu, scheme.pop ?? pops.load, depth);
  });
  const { steps, policy } = guest;
  return {
    scheme: name,
    attack,
    isBroken: returned.own === evilBytes && returned.shadow === evilBytes,
    exits: steps.reduce((sum, step) => sum + step.exits.length, 0),
    steps,
    denied: policy.denied - deniedBefore,
  };
}
