/**
 * The published rows as they travel with the project: ids, facts and figures, with the place of each.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parse } from "csv-parse/sync";
import type { PublishedRow } from "../../bench/costs/cost-formula.ts";

export interface PublishedFact extends PublishedRow {
  readonly source: string;
  readonly year: string;
  readonly table_or_figure: string;
  readonly quantity: string;
  readonly scheme: string;
  readonly workload: string;
  /** `a`, `b`, `c` as in `ClaimClass`, or empty. */
  readonly class: string;
}

const file = fileURLToPath(new URL("published-rows.csv", import.meta.url));

export function readPublishedFacts(): ReadonlyMap<string, PublishedFact> {
  const facts = parse<PublishedFact>(readFileSync(file), { columns: true });
  return new Map(facts.map((fact) => [fact.id, fact]));
}
