/**
 * One attack against one scheme: held or broken, and how many exits it took until it was over.
 */
import { AttackGuest, evilBytes, type Step } from "./attack-guest.ts";
import { type Attack, type AttackName, attackNames, attacks } from "./attacks.ts";
import { guarded } from "./layout.ts";
import { type SchemeName, schemeNames, schemes } from "./schemes.ts";

export interface Outcome {
  readonly scheme: SchemeName;
  readonly attack: AttackName;
  /** Broken: a load of the guarded page gives the attacker's bytes. */
  readonly isBroken: boolean;
  readonly exits: number;
  readonly steps: readonly Step[];
  /** Acts that the policy denied. */
  readonly denied: number;
}

/** With `check` every access is judged by the oracle, which stops at the first that a rule forbids. */
export function runAttack(scheme: SchemeName, attack: AttackName, check = false): Outcome {
  const guest = new AttackGuest(schemes[scheme], check);
  const program: Attack = attacks[attack];
  guest.warm();
  program.before?.(guest);
  guest.lock();
  // What remembers from before is what the attack uses.
  if (program.before === undefined) guest.warm();
  program.run(guest);
  let bytes = 0;
  guest.step("load T", (vcpu) => {
    bytes = vcpu.load(guarded, 0);
  });
  const exits = guest.steps.reduce((sum, step) => sum + step.exits.length, 0);
  const { denied } = guest.policy;
  const isBroken = bytes === evilBytes;
  return { scheme, attack, isBroken, exits, steps: guest.steps, denied };
}

/** Every attack against every scheme. */
export function attackMatrix(names: readonly SchemeName[] = schemeNames): Outcome[] {
  return names.flatMap((scheme) => attackNames.map((attack) => runAttack(scheme, attack)));
}
