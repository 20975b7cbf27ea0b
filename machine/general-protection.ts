/**
 * An instruction that silicon refuses with #GP: the guest's mistake (a trace's), not ours.
 *
 * Model: no guest has a handler for it, so it ends the run. Bias: none, for nothing that runs raises it.
 */
export class GeneralProtection extends Error {
  /** What silicon would have taken. */
  readonly allowed: string;

  constructor(instruction: string, allowed: string) {
    super(`#GP at ${instruction}, allowed: ${allowed}`);
    this.allowed = allowed;
  }
}
