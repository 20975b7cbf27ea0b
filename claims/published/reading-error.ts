/**
 * How far a published number may be from what its authors measured: by what can be read of a figure, or half a unit of the
 * last digit that is printed. So a formula over rows has a span, and a claim is held against all of it.
 */
import { citedIds, type PublishedRow } from "../../bench/costs/cost-formula.ts";
import { type PublishedRows, valueOf } from "./claim.ts";
import { expandRows } from "./row-ranges.ts";

interface Reading {
  readonly rows: string;
  /** In the rows' unit, either way. */
  readonly error: number;
  readonly of: string;
}

/** What was read off a figure, by pixels. */
const readings: readonly Reading[] = [
  { rows: "AG16-047..078", error: 0.5, of: "bars of figure 5's upper row" },
  { rows: "AG16-079..110", error: 1, of: "bars of figure 5's lower row" },
  {
    rows: "AG16-111..158",
    error: 1,
    of: "lower parts of figure 5's bars, whose boundary was read to 0.5 to 1: the larger",
  },
  { rows: "DM24-044..067", error: 0.05, of: "bars of figure 4" },
  { rows: "TU10-017..022", error: 1500, of: "bars of a figure" },
  { rows: "PV23-035..037", error: 0.4, of: "points of a figure" },
  { rows: "PV23-038", error: 1, of: "points of a figure" },
];

const errors = new Map(
  readings.flatMap(({ rows, error }) => expandRows(rows).map((id) => [id, error] as const)),
);

export interface Span {
  readonly low: number;
  readonly high: number;
}

/** The least and the greatest value that a formula has while each of its numbers stays within its error. */
export function spanOf(formula: string, rows: PublishedRows): Span {
  const ids = [...new Set(citedIds(formula))];
  const values = variants(ids, rows).map((some) => valueOf(formula, some));
  return { low: Math.min(...values), high: Math.max(...values) };
}

/** Are both sides of 1 within the errors? Then a ratio ranks nothing. */
export function ranksNothing(formula: string, rows: PublishedRows): boolean {
  const { low, high } = spanOf(formula, rows);
  return low <= 1 && high >= 1;
}

const number = /[0-9]+(?:\.[0-9]+)?(?:e[0-9]+)?/g;

/** The rows with each number of `ids` at either end of what it may be. */
function variants(ids: readonly string[], rows: PublishedRows): PublishedRows[] {
  let all: PublishedRows[] = [rows];
  for (const id of ids) {
    const row = rows.get(id);
    if (row === undefined) continue;
    for (let nth = 0; nth < (row.value.match(number) ?? []).length; nth++) {
      all = all.flatMap((some) => [-1, 1].map((sign) => shifted(some, id, nth, sign)));
    }
  }
  return all;
}

function shifted(rows: PublishedRows, id: string, nth: number, sign: number): PublishedRows {
  const row = rows.get(id) as PublishedRow;
  let place = -1;
  const value = row.value.replaceAll(number, (text) => {
    place += 1;
    if (place !== nth) return text;
    return (Number(text) + sign * errorOf(id, text)).toFixed(9);
  });
  return new Map([...rows, [id, { ...row, value }]]);
}

function errorOf(id: string, text: string): number {
  const [, decimals = ""] = text.split(".");
  return Math.min(Number(text), errors.get(id) ?? 0.5 * 10 ** -decimals.length);
}
