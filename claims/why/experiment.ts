/**
 * The contract of an experiment: which points it needs, and what it reads from them.
 */
import type { Finding } from "../../bench/results/answer.ts";
import type { Findings } from "./findings.ts";
import type { WhyPoint } from "./plan.ts";

export interface Experiment {
  /** The question, as a heading. */
  readonly title: string;
  readonly points: readonly WhyPoint[];
  readonly read: (findings: Findings) => Finding;
}
