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

/** CR4.PCIDE is about to be set, with these low bits in CR3. */
export function checkPcide(cr3LowBits: number): void {
  if (cr3LowBits === 0) return;
  const bits = cr3LowBits.toString(16);
  const allowed = `PCIDE set only while CR3[11:0] is 0, and it is ${bits} (#GP on silicon)`;
  throw new GeneralProtection("MOV to CR4", allowed);
}
