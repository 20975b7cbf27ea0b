/**
 * Attacks as text: the matrix of held and broken, and one attack step by step.
 */
import type { GridColumn } from "../report/text-grid.ts";
import { gridLines } from "../report/text-grid.ts";
import { attacks } from "../policies/attack/attacks.ts";
import type { Outcome } from "../policies/attack/run-attack.ts";
import { happenedAt } from "../policies/attack/step-words.ts";
import { type SchemeName, schemes } from "../policies/attack/schemes.ts";
import type { Search } from "../policies/search/search.ts";

/** `held 2` or `BROKEN 0`: the number is how many exits it took until the attack was over. */
function verdictText({ isBroken, exits }: Outcome): string {
  return `${isBroken ? "BROKEN" : "held"} ${exits}`;
}

/** A line per scheme, a column per attack; what their names mean stands below, so that the table fits a terminal. */
export function matrixText(outcomes: readonly Outcome[]): string {
  const schemeNames = [...new Set(outcomes.map(({ scheme }) => scheme))];
  const attackNames = [...new Set(outcomes.map(({ attack }) => attack))];
  const cell = (text: string) => [{ text, style: "plain" as const }];
  const names: GridColumn = {
    align: "left",
    header: ["scheme"],
    cells: schemeNames.map((name) => cell(name)),
  };
  const columns = attackNames.map((attack): GridColumn => {
    const found = (scheme: string) =>
      outcomes.find((one) => one.scheme === scheme && one.attack === attack);
    return {
      align: "left",
      header: attack.split("-"),
      cells: schemeNames.map((scheme) => {
        const outcome = found(scheme);
        return cell(outcome === undefined ? "" : verdictText(outcome));
      }),
    };
  });
  return [
    ...inHalves(columns, schemeNames).flatMap((half) => [
      ...gridLines([names, ...half], false),
      "",
    ]),
    ...legend("Schemes", schemeNames, schemes),
    "",
    ...legend("Attacks on the guarded page T, whose frame is t", attackNames, attacks),
  ].join("\n");
}

/** Columns of a terminal, and of a verdict with the gap before it. */
const [terminal, perVerdict] = [100, 9] as const;

/** The columns of one table, or of two if one is too wide. */
function inHalves(columns: readonly GridColumn[], names: readonly string[]): GridColumn[][] {
  const width = Math.max(...names.map(({ length }) => length)) + perVerdict * columns.length;
  const first = width > terminal ? Math.ceil(columns.length / 2) : columns.length;
  return [columns.slice(0, first), columns.slice(first)].filter(({ length }) => length > 0);
}

function legend<T extends string>(
  heading: string,
  names: readonly T[],
  of: Readonly<Record<T, { readonly title: string }>>,
): string[] {
  const width = Math.max(...names.map((name) => name.length));
  return [`${heading}:`, ...names.map((name) => `  ${name.padEnd(width)}  ${of[name].title}`)];
}

/** The attacks that a search found. */
export function searchText(
  scheme: SchemeName,
  { programs, attacks: found, ideas }: Search,
): string {
  const count = `${scheme}: ${programs} programs`;
  if (found.length === 0) return `${count}, none breaks it`;
  const lines = found.map((ops) => `  ${ops.join("; ")}`);
  return [`${count}, broken by ${ideas.join(" and ")}:`, ...lines].join("\n");
}

/** What the guest did, what silicon walked, what the hypervisor answered. */
export function stepsText(outcome: Outcome): string {
  const { scheme, attack, steps, denied } = outcome;
  const lines = steps.map((step, i) => {
    const happened = happenedAt(step);
    const walked = happened.filter(({ actor }) => actor === "silicon").map(({ text }) => text);
    const others = happened.filter(({ actor }) => actor !== "silicon").map(({ text }) => text);
    return `${`${i + 1}`.padStart(2)}  ${step.text.padEnd(36)}  ${walked.join("").padEnd(14)}  ${others.join("; ")}`.trimEnd();
  });
  return [
    `${attack} against ${scheme} (${schemes[scheme].title}): ${attacks[attack].title}`,
    ...lines,
    `${verdictText(outcome)} exits, ${denied} acts denied`,
  ].join("\n");
}
