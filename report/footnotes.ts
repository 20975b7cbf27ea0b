/**
 * Footnotes: what a reader must know about some cases, once per text, with a mark at each case.
 */
import type { Case } from "./cases.ts";

export interface Footnotes {
  /** The mark to put behind a label; empty for a case without a note. */
  markOf(note: string): string;
  /** Each note behind its mark. */
  readonly lines: readonly string[];
}

/** The usual order of footnote marks; the star is taken by winners. */
const marks = ["†", "‡", "§", "¶"];

export function footnotes(cases: readonly Case[]): Footnotes {
  const notes = [...new Set(cases.map(({ note }) => note))].filter((note) => note !== "");
  const markAt = (index: number) => marks[index] ?? `[${index + 1}]`;
  return {
    markOf: (note) => (note === "" ? "" : markAt(notes.indexOf(note))),
    lines: notes.map((note, index) => `${markAt(index)} ${note}`),
  };
}
