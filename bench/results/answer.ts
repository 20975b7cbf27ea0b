/**
 * What an experiment hands over: claims with their numbers, tables, and data of figures; no layout.
 *
 * Text is a list of words and numbers, so that every number in it comes from the run and `report/` alone
 * decides how it is printed. `report/` sees these types through `bench/results/result.ts`.
 */

/** Words, and numbers that the reader sees rounded. */
export type Sentence = readonly (string | number)[];

/** Template tag: `` say`a walk takes ${references} references` ``. A sentence may hold another. */
export function say(
  words: TemplateStringsArray,
  ...values: readonly (string | number | Sentence)[]
): Sentence {
  return words.flatMap((word, index) => {
    const value = values[index];
    if (value === undefined) return [word];
    return typeof value === "object" ? [word, ...value] : [word, value];
  });
}

/** Sentences in a row, set apart by `glue`. */
export function joined(sentences: readonly Sentence[], glue: string): Sentence {
  return sentences.flatMap((one, index) => (index === 0 ? one : [glue, ...one]));
}

/** One direction that a claim rests on. A claim holds when all of them do. */
export interface Check {
  readonly direction: string;
  readonly holds: boolean;
}

export interface Finding {
  readonly claim: Sentence;
  readonly number: Sentence;
  /** Which rows of points.csv, or which table, to look at. */
  readonly evidence: Sentence;
  /** What would change the answer. */
  readonly change: Sentence;
  readonly checks: readonly Check[];
  readonly tables: readonly Table[];
  readonly figures: readonly Figure[];
}

/** A finding as `answer.json` holds it; its tables and figures lie beside, by these names. */
export interface WrittenFinding extends Omit<Finding, "tables" | "figures"> {
  readonly name: string;
  /** The question, as a heading. */
  readonly title: string;
  readonly tables: readonly string[];
  readonly figures: readonly string[];
}

/** All of `answer.json`: the findings of one topic, in the order of the argument. */
export interface WrittenAnswer {
  readonly title: string;
  readonly findings: readonly WrittenFinding[];
}

/** One CSV file. The first row decides the columns; names carry units. */
export interface Table {
  readonly name: string;
  readonly rows: readonly Readonly<Record<string, string | number>>[];
}

export type Figure =
  | { readonly kind: "cycles"; readonly name: string; readonly ids: readonly number[] }
  | { readonly kind: "waterfall"; readonly name: string; readonly data: Waterfall }
  | { readonly kind: "frontier"; readonly name: string; readonly data: Frontier }
  | { readonly kind: "bars"; readonly name: string; readonly data: Bars };

/** How a gap between two schemes is made up, for several programs. */
export interface Waterfall {
  readonly title: string;
  readonly remarks: readonly string[];
  readonly axisTitle: string;
  readonly panels: readonly WaterfallPanel[];
}

export interface WaterfallPanel {
  readonly row: string;
  readonly column: string;
  /** From `start` through the parts to `whole`. */
  readonly start: WaterfallBar;
  readonly parts: readonly WaterfallBar[];
  readonly whole: WaterfallBar;
}

export interface WaterfallBar {
  readonly name: string;
  readonly value: number;
}

/** One map per processor: who wins at which rates. */
export interface Frontier {
  readonly title: string;
  readonly remarks: readonly string[];
  /** The scheme that wins where the ratio is above 1, and the other. */
  readonly winners: readonly [above: string, below: string];
  readonly maps: readonly FrontierMap[];
}

export interface FrontierMap {
  readonly name: string;
  readonly cells: readonly FrontierCell[];
  readonly programs: readonly FrontierProgram[];
  /** The closed form: updates per 1000 accesses = slope x misses per 1000 accesses. */
  readonly slope: number;
}

/** A square of the map: rates per 1000 accesses, and cycles of the second scheme over the first. */
export interface FrontierCell {
  readonly misses: readonly [from: number, to: number];
  readonly updates: readonly [from: number, to: number];
  readonly ratio: number;
}

export interface FrontierProgram {
  readonly name: string;
  readonly misses: number;
  readonly updates: number;
  readonly ratio: number;
}

/** Groups of bars, one panel per group set. */
export interface Bars {
  readonly title: string;
  readonly remarks: readonly string[];
  readonly axisTitle: string;
  readonly legendTitle: string;
  /** From the baseline outwards. */
  readonly parts: readonly { readonly name: string; readonly colour: string }[];
  readonly panels: readonly BarPanel[];
}

export interface BarPanel {
  readonly name: string;
  readonly bars: readonly {
    readonly name: string;
    /** One value per part. */
    readonly values: readonly number[];
  }[];
}
