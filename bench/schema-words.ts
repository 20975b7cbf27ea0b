/**
 * What a schema's complaints say: what must stand there, in the words of the other messages.
 *
 * A schema that knows better says so itself, and is heard first.
 */
import { z } from "zod";

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
  switch (issue.code) {
    case "invalid_type":
      return `must be ${kinds[issue.expected] ?? issue.expected}`;
    case "invalid_value":
      return `must be ${issue.values.map(String).join(" or ")}`;
    case "too_small":
      return sized(issue.origin, issue.inclusive === false ? "above" : "at least", issue.minimum);
    case "too_big":
      return sized(issue.origin, issue.inclusive === false ? "below" : "at most", issue.maximum);
    case "invalid_key":
      return "is no name of a field here";
    default:
      return "is not what may stand here";
  }
};

function sized(origin: string, side: string, limit: number | bigint): string {
  if (origin === "string" && side === "at least") return "must not be empty";
  if (origin === "array") return `must hold ${side} ${limit}`;
  return `must be ${side} ${limit}`;
}
