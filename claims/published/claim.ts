/**
 * A claim: one published number, how the simulator is asked for the same quantity, and how both compare.
 *
 * The published side is a formula over rows of `published-rows.csv`; the simulated side is always a run,
 * never a formula that stands for a mechanism. Tolerances belong to the kind of comparison, not to a claim.
 */
import { citedIds, evaluate, type PublishedRow } from "../../bench/costs/cost-formula.ts";
import type { Stage } from "./stage.ts";

/** a: architectural, must match exactly. b: a count or a mix. c: a ratio, ranking or shape. */
export type ClaimClass = "a" | "b" | "c";

/**
 * `equal`: a count that follows from a rule. `measured`: within 25 % of it. `between`: inside the span of
 * several measurements. `at least`. `same side`: both above 1 or both below, as a ranking of two demands.
 */
export type Comparison =
  | { readonly kind: "equal" }
  | { readonly kind: "measured" }
  | { readonly kind: "between"; readonly low: string; readonly high: string }
  | { readonly kind: "at least" }
  | { readonly kind: "same side" };

export interface Claim {
  /** Unique, for people and as the label in the chart. */
  readonly name: string;
  readonly class: ClaimClass;
  /** Formula over published rows, such as `PV23-013[1] / PV23-012[1]`. */
  readonly published: string;
  /** Rows that the claim rests on beside those in the formula. */
  readonly rows?: readonly string[];
  readonly compare: Comparison;
  readonly unit: string;
  /** What is run, and what is divided by what. */
  readonly how: string;
  readonly simulate: (stage: Stage) => number;
  /** What differs between their system and ours. */
  readonly note?: string;
  /** A known miss, and why. A claim that misses without it, or is met in spite of it, fails the command. */
  readonly missedBecause?: string;
}

export type PublishedRows = ReadonlyMap<string, PublishedRow>;

/** One tolerance for whatever was measured on a real machine. */
export const measuredTolerance = 0.25;

/** All rows that a claim uses, in its order. */
export function idsOf({ published, rows = [], compare }: Claim): readonly string[] {
  const bounds = compare.kind === "between" ? [compare.low, compare.high] : [];
  return [...new Set([...citedIds(published), ...rows, ...bounds.flatMap(citedIds)])];
}

export function valueOf(formula: string, rows: PublishedRows): number {
  const value = evaluate(formula, rows);
  if (typeof value !== "number") throw new Error(`published: ${value.problem}`);
  return value;
}

/** The id of a row by its number: `AG16`, 47 gives AG16-047. */
export function idOf(source: string, number: number): string {
  return `${source}-${String(number).padStart(3, "0")}`;
}
