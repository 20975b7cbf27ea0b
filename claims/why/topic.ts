/**
 * A question that `shadewalk why` answers: its experiments, in the order of the argument.
 */
import type { Experiment } from "./experiment.ts";

export interface Topic {
  /** The heading of the answer. */
  readonly title: string;
  /** By the names that `--only` takes. */
  readonly experiments: Readonly<Record<string, Experiment>>;
}
