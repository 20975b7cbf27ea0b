/**
 * What each published row is for: a price or a preset rests on it, a claim predicts it, or neither.
 *
 * Never two of these: a number that went in cannot be predicted.
 */
import { citedIds, readPublishedRows } from "../../bench/costs/cost-formula.ts";
import { presets } from "../../machine/presets.ts";
import { type Claim, idsOf } from "./claim.ts";
import { fits } from "./fitted.ts";
import { notCompared } from "./not-compared.ts";
import type { PublishedFact } from "./published-rows.ts";

export type Role = "calibration" | "validation" | "not expressible" | "hint";

/** Rows behind the prices of cost files. */
function pricedIds(): ReadonlySet<string> {
  return new Set(readPublishedRows().keys());
}

/** Rows behind the processor presets. */
export function presetIds(): ReadonlySet<string> {
  return new Set(Object.values(presets).flatMap(({ sources }) => sources.flatMap(citedIds)));
}

/** Every role that each row has, by id; a consistent table gives each row one. */
export function rolesOf(
  facts: Iterable<PublishedFact>,
  claims: readonly Claim[],
): ReadonlyMap<string, readonly Role[]> {
  const fed = new Set([...pricedIds(), ...presetIds(), ...fits.flatMap(({ rows }) => rows)]);
  const predicted = new Set(claims.flatMap(idsOf));
  const excluded = notCompared();
  const roles = new Map<string, readonly Role[]>();
  for (const { id, certainty } of facts) {
    // A number that nobody has seen in its source is a hint at most.
    const isHint = certainty !== "read";
    roles.set(id, [
      ...(isHint ? (["hint"] as const) : []),
      ...(!isHint && fed.has(id) ? (["calibration"] as const) : []),
      ...(predicted.has(id) ? (["validation"] as const) : []),
      ...(excluded.has(id) ? (["not expressible"] as const) : []),
    ]);
  }
  return roles;
}
