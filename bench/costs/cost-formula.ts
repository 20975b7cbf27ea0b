/**
 * A price's source as a formula over published numbers: `AA06-043 + AA06-045`, `PV23-007[1] * 2500`.
 *
 * The cited rows travel with the project (`costs/published-rows.csv`), so a price that does not follow from
 * its source is found when the file is read, not when somebody looks up the paper.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parse } from "csv-parse/sync";

/** A published number as its authors gave it. All rows here calibrate; none may be used to validate. */
export interface PublishedRow {
  readonly id: string;
  readonly value: string;
  readonly unit: string;
  readonly certainty: string;
}

const rowsFile = fileURLToPath(new URL("./published-rows.csv", import.meta.url));

export function readPublishedRows(): ReadonlyMap<string, PublishedRow> {
  const rows = parse<PublishedRow>(readFileSync(rowsFile), { columns: true });
  return new Map(rows.map((row) => [row.id, row]));
}

const token = /\s*(?:([A-Z]{2}[0-9]*-[0-9]+)(?:\[([0-9]+)\])?|([0-9]+(?:\.[0-9]+)?)|([-+*/()]))/y;

/** Ids of the rows that a formula cites, in its order. */
export function citedIds(formula: string): string[] {
  return [...formula.matchAll(/[A-Z]{2}[0-9]*-[0-9]+/g)].map(([id]) => id);
}

/** The formula's value, or what is wrong with it in one sentence. */
export function evaluate(
  formula: string,
  rows: ReadonlyMap<string, PublishedRow>,
): number | { readonly problem: string } {
  try {
    const tokens = tokenize(formula, rows);
    const value = sum(tokens);
    if (tokens.length > 0) throw new FormulaProblem(`something is left over at its end`);
    return value;
  } catch (error) {
    if (error instanceof FormulaProblem) return { problem: `${formula}: ${error.message}` };
    throw error;
  }
}

class FormulaProblem extends Error {}

type Token = number | "+" | "-" | "*" | "/" | "(" | ")";

function tokenize(formula: string, rows: ReadonlyMap<string, PublishedRow>): Token[] {
  const tokens: Token[] = [];
  const text = formula.trim();
  token.lastIndex = 0;
  while (token.lastIndex < text.length) {
    const start = token.lastIndex;
    const match = token.exec(text);
    if (match === null)
      throw new FormulaProblem(`cannot read ${JSON.stringify(text.slice(start))}`);
    const [, id, nth, literal, operator] = match;
    if (id !== undefined) tokens.push(published(id, nth === undefined ? 1 : Number(nth), rows));
    else if (literal !== undefined) tokens.push(Number(literal));
    else tokens.push(operator as Token);
  }
  return tokens;
}

/** The nth number in a row's value: "0.46 / 0.54 us" holds two. */
function published(id: string, nth: number, rows: ReadonlyMap<string, PublishedRow>): number {
  const row = rows.get(id);
  if (row === undefined) throw new FormulaProblem(`${id} is no row of published-rows.csv`);
  // A number that nobody has seen in its paper is a hint, not a source.
  if (row.certainty !== "read") throw new FormulaProblem(`${id} is ${row.certainty}, not read`);
  const numbers = row.value.match(/[0-9]+(?:\.[0-9]+)?(?:e[0-9]+)?/g) ?? [];
  const number = numbers[nth - 1];
  if (number === undefined) throw new FormulaProblem(`${id} has no number ${nth}: "${row.value}"`);
  return Number(number);
}

function sum(tokens: Token[]): number {
  let value = product(tokens);
  while (tokens[0] === "+" || tokens[0] === "-") {
    const sign = tokens.shift() === "+" ? 1 : -1;
    value += sign * product(tokens);
  }
  return value;
}

function product(tokens: Token[]): number {
  let value = factor(tokens);
  while (tokens[0] === "*" || tokens[0] === "/") {
    if (tokens.shift() === "*") value *= factor(tokens);
    else value /= factor(tokens);
  }
  return value;
}

function factor(tokens: Token[]): number {
  const first = tokens.shift();
  if (typeof first === "number") return first;
  if (first !== "(") throw new FormulaProblem("a number or a row is missing");
  const value = sum(tokens);
  if (tokens.shift() !== ")") throw new FormulaProblem("a closing parenthesis is missing");
  return value;
}
