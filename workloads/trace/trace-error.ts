/**
 * A trace that cannot be used: where, what was read there, and what would have been allowed.
 *
 * The message is one line, ready for a person: `f.trace.gz: line 12: GVA "10zz", allowed: hexadecimal`.
 */
import { quote } from "./quote.ts";

export interface TraceErrorParts {
  /** File as the user named it; `-` is standard input. */
  readonly file: string;
  /** From 1; 0 when the trouble is with the file as a whole. */
  readonly line: number;
  /** What was being read: `GVA`, `memory`, `compression`. */
  readonly field: string;
  /** What stood there. */
  readonly value: string;
  readonly allowed: string;
}

/** The user's mistake, or a damaged file: never ours. */
export class TraceError extends Error {
  readonly file: string;
  readonly line: number;
  readonly field: string;
  readonly value: string;
  readonly allowed: string;

  constructor({ file, line, field, value, allowed }: TraceErrorParts) {
    const where = line === 0 ? file : `${file}: line ${line}`;
    super(`${where}: ${field} ${quote(value)}, allowed: ${allowed}`);
    this.file = file;
    this.line = line;
    this.field = field;
    this.value = value;
    this.allowed = allowed;
  }
}
