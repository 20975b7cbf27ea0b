/**
 * How many published claims are met: what the argument and the README say, counted in the table that
 * `npm run validate -- --published` writes.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parse } from "csv-parse/sync";
import type { ClaimClass } from "./claim.ts";

export interface Score {
  readonly compared: number;
  readonly met: number;
}

export interface PublishedScore {
  /** Measured on machines, or simulated by others (class c). */
  readonly measured: Score;
  /** Counts and mixes, by rule or by measurement (class b). */
  readonly counted: Score;
  /** By architecture (class a). */
  readonly exact: Score;
}

type Line = Readonly<Record<"class" | "verdict", string>>;

const table = fileURLToPath(new URL("../../results/published/published.csv", import.meta.url));

export function publishedScore(): PublishedScore {
  const lines = parse<Line>(readFileSync(table), { columns: true });
  const scoreOf = (kind: ClaimClass): Score => {
    const met = lines.filter((one) => one.class === kind && one.verdict === "met").length;
    const missed = lines.filter((one) => one.class === kind && one.verdict === "missed").length;
    return { compared: met + missed, met };
  };
  return { measured: scoreOf("c"), counted: scoreOf("b"), exact: scoreOf("a") };
}

/** The README's sentence. */
export function scoreText({ measured, counted, exact }: PublishedScore): string {
  const all = [measured, counted, exact];
  const compared = all.reduce((sum, one) => sum + one.compared, 0);
  const missed = compared - all.reduce((sum, one) => sum + one.met, 0);
  return (
    `${compared} claims of papers are held against runs: ${exact.met} of ${exact.compared} reference counts, ` +
    `${counted.met} of ${counted.compared} exit counts and rules and ${measured.met} of ${measured.compared} measurements ` +
    `(within 25 %, or the same winner) are met, ${missed} are missed.`
  );
}
