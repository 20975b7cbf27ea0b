/**
 * The findings of the answers as markup: each claim a line, and behind it figure, numbers and evidence.
 *
 * It says what `answer.md` says, in the same order and words; the claims of all topics are numbered through.
 */
import type { WrittenAnswer, WrittenFinding } from "../../bench/results/result.ts";
import { answerIntro, claimText, sentenceText } from "../answer.ts";
import type { Answers } from "./content.ts";
import { figurePlace } from "./figure-place.ts";
import { findingTable } from "./finding-table.ts";
import { glossed } from "./glossary.ts";
import { html, type Html } from "./html.ts";

/** What only a page needs to say. */
const howToRead = "Open a claim for its figure and numbers.";

interface NumberedFinding extends WrittenFinding {
  /** From 1. */
  readonly place: number;
}

interface NumberedAnswer {
  readonly title: string;
  readonly findings: readonly NumberedFinding[];
}

/** The argument itself: a reader in a hurry reads the claims alone. */
export function answersHtml({ answers, figures, tables }: Answers): Html {
  const names = new Set(Object.keys(figures));
  return html`${numberedThrough(answers).map(
    ({ title, findings }) =>
      html`<h2>${title}</h2>
        <p class="quiet">${answerIntro} ${howToRead}</p>
        ${findings.map((finding) => findingHtml(finding, names, tables))}`,
  )}`;
}

function numberedThrough(answers: readonly WrittenAnswer[]): NumberedAnswer[] {
  let places = 0;
  return answers.map(({ title, findings }) => ({
    title,
    findings: findings.map((finding) => ({ ...finding, place: (places += 1) })),
  }));
}

/** The claim is read by all, the figure by most, the evidence by those who doubt. */
function findingHtml(
  finding: NumberedFinding,
  figures: ReadonlySet<string>,
  tables: Answers["tables"],
): Html {
  return html`<details class="finding slide" id="answer-${finding.place}">
    <summary>
      <span class="place">${finding.place}.</span>
      <span>
        <span class="question">${finding.title}</span>
        <strong>${claimText(finding)}</strong>
      </span>
    </summary>
    <div class="finding-body">
      ${finding.figures.map((name) => figurePlace(name, figures))}
      <p>${glossed(sentenceText(finding.number))}</p>
      ${finding.tables.map((name) => findingTable(name, tables[name]))}
      <details class="evidence">
        <summary>Evidence, and what would change it</summary>
        <p>Evidence: ${sentenceText(finding.evidence)}.</p>
        <p>What would change it: ${glossed(sentenceText(finding.change))}</p>
        ${checksHtml(finding)}
      </details>
    </div>
  </details>`;
}

function checksHtml({ checks }: NumberedFinding): Html {
  if (checks.length === 0) return html``;
  return html`<ul class="checks">
    ${checks.map(({ direction, holds }) => {
      const verdict = holds ? html`holds` : html`<strong>does not hold</strong>`;
      return html`<li>${verdict}: ${direction}</li>`;
    })}
  </ul>`;
}
