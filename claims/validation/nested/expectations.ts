/**
 * Ground truth of a hypervisor in a guest, on disk: rows that follow from the trace, and rows that do not.
 */
import { ConfigError, quote } from "../../../bench/input/config-error.ts";

export const nestedHeader = "trace,mode,kernel,variant,phase,counter,value,kind,min,max";

/** A count that also depends on frames that L1's kernel happened to use: what repeated runs measured. */
export interface ColdRow {
  readonly phase: string;
  readonly counter: string;
  readonly min: number;
  readonly max: number;
}

export interface NestedRow {
  readonly trace: string;
  readonly mode: string;
  readonly kernel: string;
  readonly variant: string;
  readonly phase: string;
  readonly counter: string;
  readonly value: number;
  /** The range measured; null for a count that follows from the trace. */
  readonly range: { readonly min: number; readonly max: number } | null;
}

/** One line; `place` is for complaints. */
export function readNestedRow(line: string, place: string): NestedRow {
  const fields = line.trim().split(",");
  const [trace, mode, kernel, variant, phase, counter, text, kind, low, high] = fields;
  const value = wholeNumber(text);
  const min = wholeNumber(low);
  const max = wholeNumber(high);
  const isCold = kind === "cold";
  if (
    fields.length === 10 &&
    trace &&
    mode &&
    kernel &&
    variant &&
    phase &&
    counter &&
    value !== null &&
    (isCold ? min !== null && max !== null : kind === "exact")
  ) {
    const range = isCold && min !== null && max !== null ? { min, max } : null;
    return { trace, mode, kernel, variant, phase, counter, value, range };
  }
  throw new ConfigError(
    `${place}: ${quote(line.trim())}; allowed: ${nestedHeader}, value a whole number, kind exact or cold, cold with min and max`,
  );
}

function wholeNumber(text: string | undefined): number | null {
  const value = Number(text);
  return text !== undefined && text !== "" && Number.isInteger(value) ? value : null;
}
