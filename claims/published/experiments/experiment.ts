/**
 * What a missed claim's cause was tested with: the claim's own figure once more, with one thing changed.
 */
import type { Stage } from "../stage.ts";

export interface Experiment {
  /** Name of the claim, which is missed. */
  readonly claim: string;
  /** What differs from how the claim is simulated. */
  readonly change: string;
  readonly simulate: (stage: Stage) => number;
}
