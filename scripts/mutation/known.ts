/** The committed list of mutants that live on, each with its reason. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { z } from "zod";

const knownSurvivor = z.strictObject({
  file: z.string(),
  /** Of the mutant; for a person, the change is beside it. */
  id: z.string(),
  change: z.string(),
  /** No test could notice; otherwise one could, and the reason says why none does. */
  equivalent: z.boolean().default(false),
  reason: z.string(),
});
export type KnownSurvivor = z.infer<typeof knownSurvivor>;

export function readKnown(): ReadonlyMap<string, KnownSurvivor> {
  const text = readFileSync(join(import.meta.dirname, "survivors.yaml"), "utf8");
  const list = z.array(knownSurvivor).parse(parse(text));
  return new Map(list.map((known) => [known.id, known]));
}

export function isEquivalent(known: ReadonlyMap<string, KnownSurvivor>, id: string): boolean {
  return known.get(id)?.equivalent === true;
}
