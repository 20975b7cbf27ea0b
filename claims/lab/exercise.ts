/**
 * What an exercise of the lab is: a question, and an answer that a run gave.
 */
import type { Prng } from "../../guest/prng.ts";

export interface Exercise {
  readonly question: string;
  /** A whole number, from a run of the simulator. */
  readonly answer: number;
  /** What the run counted beside the answer, for those who want to know why. */
  readonly counted: string;
}

export function oneOf<T>(prng: Prng, choices: readonly [T, ...T[]]): T {
  return choices[prng.below(choices.length)] ?? choices[0];
}
