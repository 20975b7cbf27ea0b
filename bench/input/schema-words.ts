/**
 * What a schema's complaints say: what must stand there, in the words of the other messages.
 *
 * A schema that knows better says so itself, and is heard first.
 */
import type { z } from "zod";

/** Words for what a schema expects, by zod's names. */
const kinds: Readonly<Record<string, string>> = {
  string: "text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "a map of fields",
  record: "a map of fields",
  null: "null",
};

/** To be given to `safeParse`. */
export const schemaWords: z.core.$ZodErrorMap = (issue) => {
  if (issue.code === "invalid_type") return `must be ${kinds[issue.expected] ?? issue.expected}`;
  if (issue.code === "invalid_value") return `must be ${issue.values.map(String).join(" or ")}`;
  if (issue.code === "too_small") {
    return sized(issue.origin, issue.inclusive === false ? "above" : "at least", issue.minimum);
  }
  if (issue.code === "too_big") {
    return sized(issue.origin, issue.inclusive === false ? "below" : "at most", issue.maximum);
  }
  return "is not what may stand here";
};

function sized(origin: string, side: string, limit: number | bigint): string {
  if (origin === "string" && side === "at least") return "must not be empty";
  if (origin === "array") return `must hold ${side} ${limit}`;
  return `must be ${side} ${limit}`;
}
