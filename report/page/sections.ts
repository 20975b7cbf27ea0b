/**
 * The parts of the page that need no program to be read: answer, fidelity, how it was run.
 */
import type { ResultRows } from "../../bench/results/result.ts";
import { answersHtml } from "./answer-html.ts";
import { html, type Html } from "./html.ts";
import type { Claim, PageContent } from "./content.ts";
import { figurePlace } from "./figure-place.ts";
import { summaryHtml } from "./summary.ts";

export function answerSection({ why, rows }: PageContent): Html {
  const answer =
    why === null
      ? html`<h2>The answer</h2>
          <p class="note">
            The argument with its evidence is not here yet: <code>npm run why</code> makes it in
            about a minute, and the next <code>npm run report</code> takes it in. What this sweep
            says by itself:
          </p>`
      : answersHtml(why);
  const heading = why === null ? html`` : html`<h2>What this sweep says</h2>`;
  return html`<section id="answer">${answer} ${heading} ${summaryHtml(rows)}</section>`;
}

export function publishedSection({ published }: PageContent): Html {
  if (published === null) {
    return html`<section id="fidelity">
      <h2>Against published measurements</h2>
      <p class="note"><code>npm run validate -- --published</code> makes this comparison.</p>
    </section>`;
  }
  const { figures } = published;
  // The others were read too, but are no claims about anything that is simulated.
  const claims = published.claims.filter(
    ({ verdict }) => verdict === "met" || verdict === "missed",
  );
  const met = claims.filter(({ verdict }) => verdict === "met").length;
  const names = new Set(Object.keys(figures));
  return html`<section id="fidelity">
    <h2>Against published measurements</h2>
    <p class="claim">
      <strong>${met} of ${claims.length}</strong> published claims are met; the others are listed
      with the reason. Counts that follow from a rule must be equal, measurements within 25 %,
      rankings must agree. Class a is a rule of the architecture, b a count or a mix, c a ratio, a
      ranking or a shape.
    </p>
    ${[...names].map((name) => figurePlace(name, names))}
    <details>
      <summary>All ${claims.length} claims</summary>
      ${claimsTable(claims)}
    </details>
  </section>`;
}

const claimColumns = [
  "class",
  "quantity",
  "unit",
  "published",
  "simulated",
  "difference",
  "verdict",
  "source",
  "note",
] as const;
const numberColumns: ReadonlySet<string> = new Set(["published", "simulated", "difference"]);

function claimsTable(claims: readonly Claim[]): Html {
  const style = (name: string) => (numberColumns.has(name) ? "number" : "");
  return html`<div class="scroll" tabindex="0" role="group" aria-label="Published claims">
    <table>
      <thead>
        <tr>
          ${claimColumns.map((name) => html`<th scope="col" class="${style(name)}">${name}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${claims.map(
          (claim) =>
            html`<tr>
              ${claimColumns.map((name) => {
                const text = claim[name] ?? "";
                const shown = numberColumns.has(name) && text !== "" ? sixDigits(text) : text;
                return html`<td class="${style(name)}">${shown}</td>`;
              })}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

function sixDigits(text: string): string {
  const value = Number(text);
  return Number.isFinite(value) ? String(Number(value.toPrecision(4))) : text;
}

export function runSection({ manifest, host, rows }: PageContent): Html {
  return html`<section id="run">
    <h2>How it was run</h2>
    <dl class="facts">
      ${facts(manifest, rows).map(
        ([name, value]) =>
          html`<div>
            <dt>${name}</dt>
            <dd>${value}</dd>
          </div>`,
      )}
    </dl>
    <p>
      The same sweep and seeds give the same counts on any machine and with any number of workers.
      Cycles are simulated, priced after the run from the cost files; nothing on this page is host
      time.
    </p>
    ${rawJson("manifest.json, in full", manifest)} ${rawJson("host.json: where it ran", host)}
  </section>`;
}

function facts(manifest: PageContent["manifest"], { points }: ResultRows): [string, string][] {
  const distinct = (values: readonly (string | number)[]) => [...new Set(values)].join(", ");
  const config = record(manifest?.["config"]);
  return [
    ["points", String(new Set(points.map(({ key }) => key.id)).size)],
    ["sweep", textOf(record(config["sweep"])["title"], "unnamed")],
    ["complete", config["isComplete"] === false ? "no: some points are missing" : "yes"],
    ["engines", distinct(points.map(({ key }) => key.engine))],
    ["processors", distinct(points.map(({ key }) => key.preset))],
    ["cost files", distinct(points.map(({ cost }) => cost))],
    ["seeds", distinct(points.map(({ key }) => key.seed))],
    ["accesses checked by the oracle", checkedText(config["accessesChecked"])],
  ];
}

/** A run without checks is no run that nobody checks. */
function checkedText(value: unknown): string {
  const text = textOf(value, "0");
  return text === "0" ? "none in this run (--check); the test suite checks millions" : text;
}

function textOf(value: unknown, otherwise: string): string {
  return typeof value === "string" || typeof value === "number" ? String(value) : otherwise;
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function rawJson(title: string, value: PageContent["manifest"]): Html {
  if (value === null) return html`<p class="note">The results folder has no ${title}.</p>`;
  return html`<details>
    <summary>${title}</summary>
    <pre tabindex="0" role="group" aria-label="${title}">${JSON.stringify(value, null, 2)}</pre>
  </details>`;
}
