/**
 * The findings of the answers as markup: the claims alone, then each with numbers, figures and evidence.
 *
 * It says what `answer.md` says, in the same order and words; the claims of all topics are numbered through.
 */
import type { WrittenAnswer, WrittenFinding } from "../../bench/results/result.ts";
import { answerIntro, claimText, sentenceText } from "../answer.ts";
import { figurePlace } from "./figure-place.ts";
import { html, type Html } from "./html.ts";

interface NumberedFinding extends WrittenFinding {
  /** From 1. */
  readonly place: number;
}

interface NumberedAnswer {
  readonly title: string;
  readonly findings: readonly NumberedFinding[];
}

/** What a reader in a hurry takes away: each claim leads to its section. */
export function claimsHtml(answers: readonly WrittenAnswer[]): Html {
  const findings = numberedThrough(answers).flatMap((answer) => answer.findings);
  return html`<ol class="claims">
    ${findings.map(
      (finding) =>
        html`<li>${claimText(finding)} <a href="#${sectionId(finding)}">${finding.title}</a></li>`,
    )}
  </ol>`;
}

/** The argument itself. `figures` are those that the page has. */
export function answersHtml(answers: readonly WrittenAnswer[], figures: ReadonlySet<string>): Html {
  return html`${numberedThrough(answers).map(
    ({ title, findings }) =>
      html`<h2>${title}</h2>
        <p>${answerIntro}</p>
        ${findings.map((finding) => findingHtml(finding, figures))}`,
  )}`;
}

function numberedThrough(answers: readonly WrittenAnswer[]): NumberedAnswer[] {
  let places = 0;
  return answers.map(({ title, findings }) => ({
    title,
    findings: findings.map((finding) => ({ ...finding, place: (places += 1) })),
  }));
}

function sectionId({ place }: NumberedFinding): string {
  return `answer-${place}`;
}

/** The claim and its numbers are read by all, the evidence by those who doubt. */
function findingHtml(finding: NumberedFinding, figures: ReadonlySet<string>): Html {
  return html`<h3 id="${sectionId(finding)}">${finding.place}. ${finding.title}</h3>
    <p><strong>${claimText(finding)}</strong></p>
    <p>${sentenceText(finding.number)}</p>
    ${finding.figures.map((name) => figurePlace(name, figures))}
    <details>
      <summary>Evidence, and what would change it</summary>
      <p>Evidence: ${sentenceText(finding.evidence)}.</p>
      <p>What would change it: ${sentenceText(finding.change)}</p>
      ${checksHtml(finding)}
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
