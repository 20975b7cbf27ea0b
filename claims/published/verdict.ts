/**
 * Is a claim met? By kind of comparison, with the published value's own errors.
 */
import { type Claim, measuredTolerance, type PublishedRows, valueOf } from "./claim.ts";
import { type Span, spanOf } from "./reading-error.ts";

/**
 * Is it met by any value that the published one may have (`reading-error.ts`)? What must be equal is exact; of a ranking that
 * reading errors could turn there is no claim.
 */
export function isMet(claim: Claim, simulated: number, rows: PublishedRows): boolean {
  const { compare } = claim;
  switch (compare.kind) {
    case "equal":
      return simulated === valueOf(claim.published, rows);
    case "measured":
      return isNear(simulated, spanOf(claim.published, rows));
    case "at least":
      return simulated >= spanOf(claim.published, rows).low;
    case "same side":
      return simulated > 1 === valueOf(claim.published, rows) > 1;
    case "between":
      return (
        simulated >= spanOf(compare.low, rows).low && simulated <= spanOf(compare.high, rows).high
      );
  }
}

function isNear(simulated: number, { low, high }: Span): boolean {
  const least = low - measuredTolerance * Math.abs(low);
  const most = high + measuredTolerance * Math.abs(high);
  return simulated >= least && simulated <= most;
}
