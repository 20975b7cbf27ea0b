/**
 * Where the model differs from the world, collected from the `Model:` comments of the sources.
 *
 * Such a comment says what is left out, then `Bias:` and which way that bends the result. One that says no
 * direction is a problem, so the page cannot fall silent about one. Pure: it sees only the texts it is given.
 */
import { posix } from "node:path";
import { parseSync } from "oxc-parser";

interface ModelChoice {
  readonly path: string;
  readonly what: string;
  readonly bias: string;
}

export interface ModelPage {
  readonly text: string;
  /** Comments that name no direction. */
  readonly problems: readonly string[];
}

/** By the first words after `Bias:`, in the order of the page. */
const directions = [
  { starts: "for shadow", title: "Flatters shadow paging" },
  { starts: "for EPT", title: "Flatters EPT" },
  { starts: "for nesting", title: "Flatters hypervisors in guests" },
  { starts: "both", title: "Moves both alike" },
  { starts: "unknown", title: "Direction unknown" },
  { starts: "none", title: "Changes no result" },
] as const;

/** Sources by path, relative to the repository. */
export function modelPage(sources: Readonly<Record<string, string>>): ModelPage {
  const choices = Object.entries(sources)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([path, source]) => choicesIn(path, source));
  const problems = choices
    .filter(({ bias }) => !directions.some(({ starts }) => bias.startsWith(starts)))
    .map(({ path, what }) => `${path}: "Model: ${what}" needs a "Bias: ${words}"`);
  const sections = directions.map(({ starts, title }) => {
    const lines = choices
      .filter(({ bias }) => bias.startsWith(starts))
      .map((choice) => `- ${sentence(choice, starts)} [${choice.path}](../${choice.path})`);
    return lines.length === 0 ? [] : [`## ${title}`, lines.join("\n")];
  });
  return { text: `${[...head, ...sections.flat()].join("\n\n")}\n`, problems };
}

const words = directions.map(({ starts }) => starts).join(" | ");

const head = [
  "# What is modelled, what is not, and which way that bends the result",
  "Collected from the `Model:` comments of the sources by `npm run docs:model`; a test holds this page to them.",
  "Modelled to the bit, and checked: page tables as bytes, walks in one and two dimensions with A and D bits, TLBs, " +
    "walk caches and nested TLB with their tags, every invalidation, exits, PML, what KVM's shadow MMU does at each " +
    "of them. Not modelled is what follows.",
];

/** What is left out, then the reason of the direction if there is one. */
function sentence({ what, bias }: ModelChoice, starts: string): string {
  const isBare = bias.replace(/\.$/, "") === starts;
  return isBare ? what : `${what} _Bias ${bias}_`;
}

function choicesIn(path: string, source: string): ModelChoice[] {
  return paragraphs(path, source).flatMap((text) => {
    const [, body] = /(?:^|\s)Model: (.*)$/.exec(text) ?? [];
    if (body === undefined) return [];
    const [what = "", bias = ""] = body.split(/\s*Bias: /);
    return [{ path, what: capital(what), bias }];
  });
}

/** Comments as paragraphs of one line each; line comments below each other are one. */
function paragraphs(path: string, source: string): string[] {
  const { comments } = parseSync(posix.basename(path), source);
  let text = "";
  let end = -1;
  for (const { type, value, start, end: until } of comments) {
    const isNext = type === "Line" && end >= 0 && source.slice(end, start).trim() === "";
    text += isNext ? "\n" : "\n\n";
    text += value.replaceAll(/^\s*\*? ?/gm, "");
    end = type === "Line" ? until : -1;
  }
  return text.split(/\n\s*\n/).map((one) => one.replaceAll(/\s+/g, " ").trim());
}

/** The first letter large, unless the word is a name such as vCPUs. */
function capital(text: string): string {
  return /^[a-z]+[A-Z]/.test(text) ? text : `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}
