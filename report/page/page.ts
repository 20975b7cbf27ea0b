/**
 * The report as one HTML file: answer, charts, explorers, table, provenance; nothing is fetched, ever.
 *
 * The content policy allows exactly the programs below, by their hashes, and no connection at all: markup
 * that slipped in through a name could not run even if the escaping had a hole. Vega would like to compile
 * its expressions, which the policy forbids, so it interprets them.
 */
import { createHash } from "node:crypto";
import type { ResultRows } from "../../bench/results/result.ts";
import { programs } from "./bundle.ts";
import type { PageContent } from "./content.ts";
import { html, type Html, jsonText, scriptText } from "./html.ts";
import { type PageData, packRows } from "./page-data.ts";
import { answerSection, publishedSection, runSection } from "./sections.ts";
import { storySection } from "./story-html.ts";

export interface Page {
  readonly text: string;
  /** True when the rows of the set-up region had to stay out. */
  readonly isShortened: boolean;
}

/** A file that every mail server takes. */
const pageBytesMax = 3_000_000;

export async function renderPage(content: PageContent): Promise<Page> {
  const { scripts, style } = await programs();
  const make = (rows: ResultRows, note: string) => {
    const figures = { ...content.why?.figures, ...content.published?.figures };
    const data: PageData = { rows: packRows(rows), costs: content.costs, figures };
    return pageText({ content: { ...content, rows }, data, scripts, style, note });
  };
  const whole = make(content.rows, "");
  if (Buffer.byteLength(whole) <= pageBytesMax) return { text: whole, isShortened: false };
  const measured = ({ region }: { readonly region: string }) => region === "measured";
  const rows = {
    points: content.rows.points.filter(measured),
    walks: content.rows.walks.filter(measured),
  };
  const note = "To keep the file small it has the measured region only; points.csv has both.";
  return { text: make(rows, note), isShortened: true };
}

interface Parts {
  readonly content: PageContent;
  readonly data: PageData;
  readonly scripts: readonly string[];
  readonly style: string;
  readonly note: string;
}

const title = "Shadewalk: shadow paging against nested paging";

const sections = [
  ["frontier", "Prices"],
  ["answer", "Argument"],
  ["charts", "Charts"],
  ["walk", "A walk"],
  ["operations", "Operations"],
  ["dma", "A device"],
  ["attack", "An attack"],
  ["points", "Points"],
  ["fidelity", "Fidelity"],
  ["run", "How it was run"],
] as const;

function pageText({ content, data, scripts, style, note }: Parts): string {
  const texts = scripts.map(scriptText);
  const hashes = texts.map(
    (text) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`,
  );
  const policy = [
    "default-src 'none'",
    `script-src ${hashes.join(" ")}`,
    "style-src 'unsafe-inline'",
    "img-src data: blob:",
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ");
  const head = html`<meta charset="utf-8" />
    <meta http-equiv="Content-Security-Policy" content="${policy}" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <meta name="referrer" content="no-referrer" />
    <title>${title}</title>`;
  const json = `<script id="data" type="application/json">${jsonText(data)}</script>`;
  return `<!doctype html>
<html lang="en">
<head>
${head.markup}
<link rel="icon" href="data:," />
<style>${style}</style>
</head>
<body>
${body(content, note).markup}
${json}
${texts.map((text) => `<script>${text}</script>`).join("\n")}
</body>
</html>
`;
}

function body(content: PageContent, note: string): Html {
  return html`<a class="skip" href="#answer">Skip to the answer</a>
    <header>
      <a class="name" href="#story">Shadewalk</a>
      <nav aria-label="Sections">
        ${sections.map(([id, name]) => html`<a href="#${id}">${name}</a> `)}
      </nav>
      <div id="theme"></div>
    </header>
    <main>
      ${storySection(content)}
      <noscript><p class="note">Charts, explorers and the table need JavaScript.</p></noscript>
      <section id="frontier" class="slide">
        <h2>Change the prices, see who wins</h2>
        <p>
          The counts of every run are in this page, and cycles are counts times prices. So ask: what
          if an exit cost a tenth? Below the line shadow paging wins, above it nested paging.
        </p>
      </section>
      ${answerSection(content)}
      <section id="charts">
        <h2>All programs</h2>
      </section>
      <section id="walk" class="slide">
        <h2>Walk explorer</h2>
        <p>
          The simulator itself runs in this page. Choose a machine and an address, and step through
          what its page walk reads, with the buttons or the arrow keys. The link above the page
          remembers where you are.
        </p>
      </section>
      <section id="operations">
        <h2>What an operation costs under each engine</h2>
        <p>The same guest instructions, run on every scheme: who has to do what.</p>
      </section>
      <section id="dma">
        <h2>One mapping for a device under each scheme</h2>
        <p>
          A driver maps scattered pages, its device writes the first one twice, the driver unmaps,
          and the device comes back. The guest's stores, what exits, what the host maps, and what
          the IOMMU reads and forgets.
        </p>
      </section>
      <section id="attack">
        <h2>A lock under attack</h2>
        <p>
          One page T of the guest’s kernel is locked: its frame t must not change, and T must go on
          meaning t. Short programs of the guest’s kernel try to get around that. A lock is broken
          if T then has the attacker’s bytes. Choose an attack and a scheme to see each step; the
          number is how many VM exits it took until the attack was over.
        </p>
      </section>
      <section id="points">
        <h2>Points</h2>
        ${note === "" ? html`` : html`<p class="note">${note}</p>`}
      </section>
      ${publishedSection(content)} ${runSection(content)}
    </main>
    <footer>
      <p>
        Made by <code>npx shadewalk report</code>. Counts are events of a deterministic simulation;
        cycles are priced from them.
      </p>
    </footer>`;
}
