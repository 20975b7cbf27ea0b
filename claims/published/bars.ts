/**
 * Bars read off a printed figure: two that are as close as the reading is sure say nothing of who wins.
 */
import { valueOf } from "./claim.ts";
import { readPublishedFacts } from "./published-rows.ts";

/** Points by which two bars may differ and yet be one: each was read to half a point or a whole one. */
const readingError = 1;

/** Is one of the two bars, rows in percent, longer than the other? */
export function areApart(one: string, other: string): boolean {
  const facts = readPublishedFacts();
  return Math.abs(valueOf(one, facts) - valueOf(other, facts)) > readingError + 1e-9;
}
