import { STOP_OUTSIDE } from "../mmu.ts";

/** How an access ends that a walk could not finish. */
export type Kind = "read" | "write" | "fetch";

/** One access, decoded. */
export interface Access {
  readonly vpn: number;
  readonly kind: Kind;
  readonly user: boolean;
  /** The lines of its page that it touches, a bit each. */
  readonly lines: number;
  /** Is it a shadow stack's? */
  readonly isStack: boolean;
}

/** Why an access could not be done: the details of `Mmu.stop...`. */
export interface Stop {
  readonly reason: number;
  readonly error: number;
  readonly gfn: number;
  readonly kind: Kind;
  readonly duringWalk: boolean;
  /** Of a violation: what the entry that refused says. */
  readonly isPresent: boolean;
  readonly isMalformed: boolean;
  /** Had the walk switched to another tree? */
  readonly isSwitched: boolean;
}

/** A stop with nothing more to say than its reason. */
export const noStop = {
  error: 0,
  gfn: 0,
  kind: "read",
  duringWalk: false,
  isPresent: false,
  isMalformed: false,
  isSwitched: false,
} as const;

export function isStop(outcome: object | null): outcome is Stop {
  return outcome !== null && "reason" in outcome;
}

export function outside(frame: number): Stop {
  return { ...noStop, reason: STOP_OUTSIDE, gfn: frame };
}
