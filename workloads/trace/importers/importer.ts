/**
 * A text that another tool writes, read line by line as accesses of a user program.
 *
 * What such tools see is user-only: no page tables, no kernel, no other process. So the guest operating system runs
 * under the accesses, as under valgrind lackey's, and its update rate is a lower bound.
 */
export interface ImportedAccess {
  readonly kind: "fetch" | "load" | "store";
  /** Hexadecimal, without 0x. */
  readonly address: string;
  readonly bytes: number;
}

export interface Importer {
  /** The tool, as people call it. */
  readonly title: string;
  /** Is this line the tool's, beyond doubt? */
  readonly isLine: (line: string) => boolean;
  /** The accesses of a line, none for a line of other things; null for one that looks like damage. */
  readonly read: (line: string) => readonly ImportedAccess[] | null;
  /** What a line should look like. */
  readonly allowed: string;
}

/** Where a tool does not say how many bytes an access has. */
export const usualBytes = 8;
