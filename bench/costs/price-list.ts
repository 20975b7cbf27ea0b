/**
 * The prices of a cost file one by one, each with its source: how many are assumed, and models with one changed.
 */
import { parse } from "yaml";
import { costText } from "./cost-file.ts";
import type { CostModel } from "./cost.ts";

export interface ListedPrice {
  /** `exits.PageFault.indirect`: where it stands in the file. */
  readonly name: string;
  readonly cycles: number;
  readonly isAssumed: boolean;
}

/** Every price of a cost file that `readCost` has accepted. */
export function priceList(nameOrPath: string): readonly ListedPrice[] {
  return listed(parse(costText(nameOrPath).text), []);
}

function listed(node: unknown, path: readonly string[]): ListedPrice[] {
  if (typeof node !== "object" || node === null) return [];
  const { cycles, source } = node as { readonly cycles?: unknown; readonly source?: unknown };
  if (typeof cycles === "number") {
    return [{ name: path.join("."), cycles, isAssumed: source === "assumed" }];
  }
  return Object.entries(node).flatMap(([name, field]) => listed(field, [...path, name]));
}

/** `skylake-sp 72 of 88`. */
export function assumedText(names: readonly string[]): string {
  return names
    .map((name) => {
      const all = priceList(name);
      return `${name} ${all.filter(({ isAssumed }) => isAssumed).length} of ${all.length}`;
    })
    .join(", ");
}

/** The model with some prices multiplied, by name; those not named stay. */
export function scaled(cost: CostModel, factors: ReadonlyMap<string, number>): CostModel {
  const walk = scaledFields(cost.walk, "walk", factors);
  const exits = scaledFields(cost.exits, "exits", factors);
  const events = Object.fromEntries(
    Object.entries(cost.events).map(([section, prices]) => [
      section,
      scaledFields(prices, section, factors),
    ]),
  ) as CostModel["events"];
  return { ...cost, walk, exits, events };
}

function scaledFields<T extends object>(
  fields: T,
  path: string,
  factors: ReadonlyMap<string, number>,
): T {
  return Object.fromEntries(
    Object.entries(fields).map(([name, field]: [string, unknown]) => {
      const inner = `${path}.${name}`;
      if (typeof field === "number") return [name, field * (factors.get(inner) ?? 1)];
      return [name, scaledFields(field as object, inner, factors)];
    }),
  ) as T;
}
