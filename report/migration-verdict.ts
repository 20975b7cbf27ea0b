/**
 * What became of a migration, in words: does it end, how long does the guest stand still, what did it pay.
 */
import type { MigrationResult } from "../bench/results/result.ts";
import { short } from "./format.ts";
import { wrapWords } from "./text-grid.ts";

/** A guest slower than this pays for its migration with its speed. */
const noticed = 1.1;

/** A line for each, times multiplied by what they were divided by. */
export function verdictLines(
  results: readonly MigrationResult[],
  { shrink, columns }: { readonly shrink: number; readonly columns: number },
): string {
  return results.flatMap((one) => wrapWords(verdictOf(one, shrink), columns)).join("\n");
}

export function verdictOf({ key, outcome }: MigrationResult, shrink: number): string {
  const { verdict, rounds, guestSlowdown } = outcome;
  const seconds = short((outcome.totalMs * shrink) / 1000);
  const downtime = short(outcome.downtimeMs * shrink);
  const megabytes = short((outcome.dirtyPagesPerSecond * 4096) / 1e6);
  const speed =
    guestSlowdown < noticed
      ? `runs ${short(100 * (guestSlowdown - 1))} % slower meanwhile`
      : `runs at 1/${short(guestSlowdown)} of its speed meanwhile`;
  const logged = `the log sees ${megabytes} MB/s`;
  if (verdict === "forced") {
    return `${key.engine}: does not converge within ${seconds} s and ${rounds} rounds: ${logged}, the link sends ${linkText(key.migration.bandwidthBitsPerSecond)}; stopped now, the guest would stand still for ${downtime} ms. It ${speed}.`;
  }
  const why = guestSlowdown < noticed ? "converges" : "converges because the guest is slowed down";
  return `${key.engine}: ${why}: ${seconds} s, ${rounds} rounds, the guest stands still for ${downtime} ms; ${logged}, and the guest ${speed}.`;
}

function linkText(bitsPerSecond: number): string {
  return `${short(bitsPerSecond / 8e6)} MB/s`;
}
