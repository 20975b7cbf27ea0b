/**
 * `npm run validate -- --published`: every claim run and compared, every other row with its reason.
 *
 * The table that it writes has one line per claim, then one per row that feeds a price, cannot be expressed
 * or is only recalled. Same build, same bytes.
 */
import { writeFile } from "node:fs/promises";
import { stringify } from "csv-stringify/sync";
import { makeFolder } from "../../bench/files/make-folder.ts";
import { assert } from "../../machine/assert.ts";
import { replaceFiles } from "../../bench/files/result-files.ts";
import { type Claim, idsOf, type PublishedRows, valueOf } from "./claim.ts";
import { claims as allClaims } from "./claims/index.ts";
import { notCompared } from "./not-compared.ts";
import { type PublishedFact, readPublishedFacts } from "./published-rows.ts";
import { type Role, rolesOf } from "./roles.ts";
import { type SimulateOptions, simulateClaims } from "./simulate.ts";
import { Stage } from "./stage.ts";
import { isMet } from "./verdict.ts";

export interface Compared {
  readonly claim: Claim;
  readonly published: number;
  readonly simulated: number;
  /** Of the published value, in percent; absolute where that is 0. */
  readonly difference: number;
  readonly met: boolean;
}

export interface PublishedValidation {
  readonly compared: readonly Compared[];
  readonly missed: number;
  /** Claims that miss without a reason beside them, or are met although one says that they are not. */
  readonly surprises: readonly Compared[];
  /** Rows by role; validation are those behind the claims. */
  readonly rows: Readonly<Record<Role, readonly string[]>>;
  /** Reasons, and the rows that are not compared for each. */
  readonly notCompared: ReadonlyMap<string, readonly string[]>;
}

export interface PublishedOptions extends SimulateOptions {
  /** Folder of `published.csv`. */
  readonly out: string;
}

export async function validatePublished(options: PublishedOptions): Promise<PublishedValidation> {
  const { out } = options;
  const facts = readPublishedFacts();
  const compared = await runClaims(allClaims, options);
  makeFolder(out);
  const text = publishedCsv(compared, facts);
  await replaceFiles(out, { "published.csv": (path) => writeFile(path, text) });
  const roles = rolesOf(facts.values(), allClaims);
  const reasons = notCompared();
  const having = (role: Role) => [...roles.keys()].filter((id) => roles.get(id)?.includes(role));
  return {
    compared,
    missed: compared.filter(({ met }) => !met).length,
    surprises: surprises(compared),
    rows: {
      calibration: having("calibration"),
      validation: having("validation"),
      "not expressible": having("not expressible"),
      hint: having("hint"),
    },
    notCompared: Map.groupBy(reasons.keys(), (id) => reasons.get(id) ?? ""),
  };
}

export function surprises(compared: readonly Compared[]): readonly Compared[] {
  return compared.filter(({ claim, met }) => met === (claim.missedBecause !== undefined));
}

/** On worker threads. */
export async function runClaims(
  claims: readonly Claim[],
  options: SimulateOptions,
): Promise<Compared[]> {
  const values = await simulateClaims(claims, options);
  const facts = readPublishedFacts();
  return claims.map((claim) => {
    const value = values.get(claim.name);
    assert(value !== undefined, () => `published: ${claim.name} was not run`);
    return held(claim, value, facts);
  });
}

/** On this thread, against whatever rows. */
export function compareClaims(claims: readonly Claim[], rows: PublishedRows): Compared[] {
  const stage = new Stage();
  return claims.map((claim) => held(claim, claim.simulate(stage), rows));
}

function held(claim: Claim, value: number, rows: PublishedRows): Compared {
  const simulated = significant(value);
  const published = significant(valueOf(claim.published, rows));
  const difference =
    published === 0 ? simulated : (100 * (simulated - published)) / Math.abs(published);
  const met = isMet(claim, simulated, rows);
  return { claim, published, simulated, difference: significant(difference), met };
}

/** Six digits: means and quotients must not differ in their last bit between machines. */
function significant(value: number): number {
  return Number(value.toPrecision(6));
}

const columns = [
  "id",
  "source",
  "class",
  "certainty",
  "role",
  "quantity",
  "unit",
  "published",
  "simulated",
  "difference",
  "verdict",
  "formula",
  "how",
  "note",
] as const;
type Line = Partial<Record<(typeof columns)[number], string | number>>;

export function publishedCsv(
  compared: readonly Compared[],
  facts: ReadonlyMap<string, PublishedFact>,
): string {
  const claims = compared.map(({ claim }) => claim);
  const reasons = notCompared();
  const roles = rolesOf(facts.values(), claims);
  const others = [...facts.values()].flatMap((fact): Line[] => {
    const [role] = roles.get(fact.id) ?? [];
    if (role === "validation" || role === undefined) return [];
    return [otherLine(fact, role, reasons.get(fact.id) ?? "")];
  });
  return stringify([...compared.map((one) => claimLine(one, facts)), ...others], {
    header: true,
    columns: [...columns],
  });
}

function claimLine(
  { claim, ...values }: Compared,
  facts: ReadonlyMap<string, PublishedFact>,
): Line {
  const ids = idsOf(claim);
  const sources = ids.map((id) => facts.get(id));
  return {
    id: ids.join(" "),
    source: [...new Set(sources.map((fact) => `${fact?.source} ${fact?.year}`))].join("; "),
    class: claim.class,
    certainty: [...new Set(sources.map((fact) => fact?.certainty))].join(" "),
    role: "validation",
    quantity: claim.name,
    unit: claim.unit,
    published: values.published,
    simulated: values.simulated,
    difference: values.difference,
    verdict: values.met ? "met" : "missed",
    formula: formulaText(claim),
    how: claim.how,
    note: [claim.note, claim.missedBecause].filter((text) => text !== undefined).join("; "),
  };
}

/** The published side and how the simulated one must stand to it. */
function formulaText({ published, compare }: Claim): string {
  if (compare.kind !== "between") return `${published} (${compare.kind})`;
  return `${published} (between ${compare.low} and ${compare.high})`;
}

const otherNotes: Readonly<Partial<Record<Role, string>>> = {
  calibration:
    "feeds a cost file, a processor preset or what a paper leaves open of a program, so it is never compared",
  hint: "recalled, not read in its source: never compared",
};

function otherLine(fact: PublishedFact, role: Role, reason: string): Line {
  const { id, source, year, certainty, quantity, scheme, workload, unit, value } = fact;
  return {
    id,
    source: `${source} ${year}`,
    class: fact.class,
    certainty,
    role: role === "not expressible" ? "" : role,
    quantity: [quantity, scheme, workload].join(", "),
    unit,
    published: value,
    verdict: role === "not expressible" ? role : "",
    note: otherNotes[role] ?? reason,
  };
}
