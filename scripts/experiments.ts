/**
 * `npm run validate -- --published --experiments`: what the causes of missed claims were tested with.
 */
import { valueOf } from "../claims/published/claim.ts";
import { claims } from "../claims/published/claims/index.ts";
import { experiments } from "../claims/published/experiments/index.ts";
import { readPublishedFacts } from "../claims/published/published-rows.ts";
import { Stage } from "../claims/published/stage.ts";
import { short } from "../report/format.ts";
import { claimsOf } from "./published.ts";

/** Runs each, those of `paper` alone if it is not null, and prints what the claim's figure becomes. */
export function printExperiments(paper: string | null): void {
  const facts = readPublishedFacts();
  const stage = new Stage();
  for (const claim of paper === null ? claims : claimsOf(paper)) {
    const own = experiments.filter((experiment) => experiment.claim === claim.name);
    if (own.length === 0) continue;
    const unit = claim.unit === "x" ? "" : ` ${claim.unit}`;
    console.log(`${claim.name}: published ${short(valueOf(claim.published, facts))}${unit}`);
    console.log(`  as compared: ${short(claim.simulate(stage))}`);
    for (const { change, simulate } of own) console.log(`  ${change}: ${short(simulate(stage))}`);
  }
}
