/**
 * For tests: an answer that nothing ran for.
 */
import type { WrittenAnswer, WrittenFinding } from "../../bench/results/result.ts";

export function madeUpAnswer(
  title: string,
  findings: readonly Partial<WrittenFinding>[],
): WrittenAnswer {
  return {
    title,
    findings: findings.map((given) => ({
      name: "made-up",
      title: "Why?",
      claim: ["Because of ", 3, " exits."],
      number: [1.234_56, " against ", 2],
      evidence: ["points.csv ids 3-4"],
      change: ["Fewer exits."],
      checks: [{ direction: "slower", holds: true }],
      tables: [],
      figures: [],
      ...given,
    })),
  };
}
