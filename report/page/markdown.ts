/**
 * The Markdown that our own answers are written in, as markup: headings, paragraphs, lists, pictures.
 *
 * A picture becomes the place of the interactive figure of its name. Whatever is not one of these few
 * forms stays text, so a file from somewhere else can look odd but do nothing.
 */
import { html, type Html } from "./html.ts";

/** Headings are one level deeper than written: the page has its own title. */
export function markdownHtml(markdown: string, figures: ReadonlySet<string>): Html {
  const blocks = markdown
    .split(/\n{2,}/)
    .map((block) => block.trim())
    .filter((block) => block !== "");
  // A section is a heading and what follows it.
  const starts = blocks.flatMap((block, index) => (block.startsWith("#") ? [index] : []));
  const sections = [0, ...starts].map((start, index) => blocks.slice(start, starts[index]));
  return html`${sections.map((section) => sectionHtml(section, figures))}`;
}

/** The claims alone, each leading to its section: what a reader in a hurry takes away. */
export function claimsHtml(markdown: string): Html {
  const claims = [...markdown.matchAll(/^## (.+)\n+\*\*(.+)\*\*$/gm)];
  return html`<ol class="claims">
    ${claims.map(([, heading, claim]) => {
      const id = sectionId(heading ?? "");
      return html`<li>${claim ?? ""} <a href="#${id}">${questionOf(heading ?? "")}</a></li>`;
    })}
  </ol>`;
}

function sectionId(heading: string): string {
  return `answer-${/^\d+/.exec(heading)?.[0] ?? "more"}`;
}

function questionOf(heading: string): string {
  return heading.replace(/^\d+\. /, "");
}

/** The claim and its numbers are read by all, the evidence by those who doubt. */
function sectionHtml(blocks: readonly string[], figures: ReadonlySet<string>): Html {
  const at = blocks.findIndex((block) => block.startsWith("Evidence: "));
  const shown = at < 0 ? blocks : blocks.slice(0, at);
  const folded = at < 0 ? [] : blocks.slice(at);
  const main = shown.map((block) => blockHtml(block, figures));
  if (folded.length === 0) return html`${main}`;
  return html`${main}
    <details>
      <summary>Evidence, and what would change it</summary>
      ${folded.map((block) => blockHtml(block, figures))}
    </details>`;
}

function blockHtml(block: string, figures: ReadonlySet<string>): Html {
  const heading = /^(#{1,3}) (.*)$/.exec(block);
  if (heading !== null) return headingHtml(heading[1]?.length ?? 1, heading[2] ?? "");
  const picture = /^!\[([^\]]*)\]\(charts\/[^)]*\)$/.exec(block);
  if (picture !== null) return figurePlace(picture[1] ?? "", figures);
  const lines = block.split("\n");
  if (lines.every((line) => line.startsWith("- "))) {
    return html`<ul class="checks">
      ${lines.map((line) => html`<li>${inlineHtml(line.slice(2))}</li>`)}
    </ul> `;
  }
  return html`<p>${inlineHtml(lines.join(" "))}</p>`;
}

function headingHtml(level: number, text: string): Html {
  if (level === 1) return html`<h2>${inlineHtml(text)}</h2>`;
  if (level === 2) return html`<h3 id="${sectionId(text)}">${inlineHtml(text)}</h3>`;
  return html`<h4>${inlineHtml(text)}</h4>`;
}

/** Where the browser half draws the figure called `name`; a note when there is none. */
export function figurePlace(name: string, figures: ReadonlySet<string>): Html {
  if (!figures.has(name))
    return html`<p class="quiet">The figure “${name}” is not in the folder.</p>`;
  return html`<figure class="chart" data-figure="${name}"></figure>`;
}

/** Bold and code, which never nest here. */
function inlineHtml(text: string): Html {
  const parts = text.split(/(\*\*[^*]+\*\*|`[^`]+`)/);
  return html`${parts.map((part) => {
    if (/^\*\*.+\*\*$/.test(part)) return html`<strong>${part.slice(2, -2)}</strong>`;
    if (/^`.+`$/.test(part)) return html`<code>${part.slice(1, -1)}</code>`;
    return html`${part}`;
  })}`;
}
