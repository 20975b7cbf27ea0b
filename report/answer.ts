/**
 * The answer as text: claims with number, evidence and what would change them, for a terminal and as Markdown.
 *
 * Numbers come as numbers and are rounded here, so the two texts and the tables cannot disagree.
 */
import type { Finding, ResultRows, Sentence, WrittenAnswer } from "../bench/results/result.ts";
import { arrange } from "./cases.ts";
import { bars } from "./charts/bars.ts";
import { cycles } from "./charts/cycles.ts";
import { frontier } from "./charts/frontier.ts";
import { waterfall } from "./charts/waterfall.ts";
import { figure } from "./format.ts";
import type { NamedSpec } from "./render.ts";
import { wrapWords } from "./text-grid.ts";

export function sentenceText(sentence: Sentence): string {
  return sentence.map((part) => (typeof part === "number" ? figure(part) : part)).join("");
}

/** The claim, or that this run does not bear it out. */
export function claimText({ claim, checks }: Pick<Finding, "claim" | "checks">): string {
  const failed = checks.filter(({ holds }) => !holds).map(({ direction }) => direction);
  const text = sentenceText(claim);
  return failed.length === 0 ? text : `NOT BORNE OUT by this run (${failed.join("; ")}): ${text}`;
}

/** For a terminal of `columns` characters. */
export function answerText({ findings }: WrittenAnswer, columns: number): string {
  const width = Math.min(columns, 160);
  return findings
    .map((finding, index) =>
      [
        `${index + 1}. ${finding.title}`,
        ...paragraph("", claimText(finding), width),
        ...paragraph("Numbers: ", sentenceText(finding.number), width),
        ...paragraph("Evidence: ", sentenceText(finding.evidence), width),
        ...paragraph("Would change it: ", sentenceText(finding.change), width),
      ].join("\n"),
    )
    .join("\n\n");
}

function paragraph(label: string, text: string, width: number): string[] {
  return wrapWords(label + text, Math.max(20, width - 3)).map((line) => `   ${line}`);
}

/** What stands above the findings, in a file beside the evidence and in the page elsewhere. */
export const answerIntro =
  "Every number here was counted by one run and priced by the cost files; every file named is in the answer's folder.";

export function answerMarkdown({ title, findings }: WrittenAnswer): string {
  const sections = findings.map((finding, index) =>
    [
      `## ${index + 1}. ${finding.title}`,
      `**${claimText(finding)}**`,
      sentenceText(finding.number),
      ...finding.figures.map((name) => `![${name}](charts/${name}.png)`),
      `Evidence: ${sentenceText(finding.evidence)}.`,
      `What would change it: ${sentenceText(finding.change)}`,
      finding.checks
        .map(({ direction, holds }) => `- ${holds ? "holds" : "**does not hold**"}: ${direction}`)
        .join("\n"),
    ].join("\n\n"),
  );
  return `${[`# ${title}`, answerIntro, ...sections].join("\n\n")}\n`;
}

/** The charts that the claims point at. */
export function answerCharts(
  findings: readonly Pick<Finding, "figures">[],
  rows: ResultRows,
): NamedSpec[] {
  return findings.flatMap(({ figures }) =>
    figures.flatMap((one): NamedSpec[] => {
      const { name } = one;
      switch (one.kind) {
        case "bars":
          return [{ name, spec: bars(one.data) }];
        case "frontier":
          return [{ name, spec: frontier(one.data) }];
        case "waterfall":
          return [{ name, spec: waterfall(one.data) }];
        case "cycles": {
          const ids = new Set(one.ids);
          const [setting] = arrange({
            points: rows.points.filter(({ key }) => ids.has(key.id)),
            walks: [],
          });
          const spec = setting === undefined ? null : cycles.spec(setting);
          return spec === null ? [] : [{ name, spec }];
        }
      }
    }),
  );
}
