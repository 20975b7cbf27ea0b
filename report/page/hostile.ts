/**
 * For tests: content in which every name that a stranger can choose tries to become markup.
 */
import type { PointKey, ResultRows } from "../../bench/results/result.ts";
import type { PageContent } from "./content.ts";
import { shippedCosts } from "./made-up-content.ts";
import { madeUpAnswer } from "./made-up-answer.ts";

export const hostileNames = [
  "</script><script>window.harmed=1</script>",
  '<img src=x onerror="window.harmed=1">',
  "<!--",
] as const;
const allNames = hostileNames.join(" ");

export function hostileContent({ points, walks }: ResultRows): PageContent {
  const rename = (key: PointKey): PointKey => ({
    ...key,
    engine: key.engine === "native" ? "native" : `${key.engine}${hostileNames[0]}`,
    workload: `${key.workload}${hostileNames[1]}`,
    params: { ...key.params, [hostileNames[1]]: hostileNames[2] },
  });
  const rows = {
    points: points.map((row) => ({ ...row, key: rename(row.key), label: allNames })),
    walks: walks.map((row) => ({ ...row, key: rename(row.key) })),
  };
  const facts = { config: { sweep: { title: allNames } } };
  const finding = {
    title: allNames,
    claim: [allNames],
    number: [allNames],
    evidence: [allNames],
    change: [allNames],
    checks: [
      { direction: allNames, holds: true },
      { direction: allNames, holds: false },
    ],
    figures: [allNames],
    tables: [allNames],
  };
  return {
    rows,
    costs: shippedCosts(),
    titles: Object.fromEntries(rows.points.map(({ key }) => [key.workload, allNames])),
    manifest: facts,
    host: facts,
    why: {
      answers: [madeUpAnswer(allNames, [finding])],
      figures: {},
      tables: { [allNames]: [[allNames], [allNames]] },
    },
    published: { claims: [{ quantity: allNames, verdict: "met" }], figures: {} },
  };
}
