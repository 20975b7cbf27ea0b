/**
 * One scheme's shadow stack in figures: exits, views taken and cycles of a call with its return, and each attack's end.
 */
import { cyclesOf } from "../channels/cycles.ts";
import { attackStack, countStackCalls, type StackOutcome } from "./run-stack.ts";
import type { StackAttackName } from "./stack-attacks.ts";
import { type StackSchemeName, stackSchemes } from "./stack-schemes.ts";

export interface StackSettings {
  /** Calls, each with its return; as many more as fill a round. */
  readonly calls: number;
  /** Cycles of the program from one call to the next. */
  readonly work: number;
  /** Is every access held against the oracle, where the scheme is not meant to break? */
  readonly check: boolean;
}

export interface StackRow {
  readonly scheme: StackSchemeName;
  readonly title: string;
  readonly exitsPerCall: number;
  readonly viewsPerCall: number;
  readonly cyclesPerCall: number;
  /** Run time over that of the same program with no second stack. */
  readonly slowdown: number;
  readonly attacks: readonly StackOutcome[];
}

export function stackRow(
  scheme: StackSchemeName,
  attacks: readonly StackAttackName[],
  { calls, work, check }: StackSettings,
): StackRow {
  const isChecked = check && stackSchemes[scheme].mayBreak !== true;
  const cost = countStackCalls(scheme, calls, isChecked);
  const each = (sum: number) => Number((sum / cost.calls).toPrecision(6));
  const cyclesPerCall = each(cyclesOf(cost.counts));
  const alone = cyclesOf(cost.alone) / cost.calls;
  return {
    scheme,
    title: stackSchemes[scheme].title,
    exitsPerCall: each(cost.counts.exits),
    viewsPerCall: each(cost.counts.viewSwitches),
    cyclesPerCall,
    slowdown: Number(((cyclesPerCall + work) / (alone + work)).toPrecision(3)),
    attacks: attacks.map((attack) => attackStack(scheme, attack, isChecked)),
  };
}
