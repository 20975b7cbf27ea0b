/**
 * Rows as tables of this folder write them: `AA06-001 AA06-004..012`, a range of one source.
 */
import { idOf } from "./claim.ts";

/** All ids, in their order; throws where one cannot be read. */
export function expandRows(rows: string): string[] {
  return rows.split(" ").flatMap(expand);
}

function expand(range: string): string[] {
  const [, source, first, last] = /^([A-Z0-9]+)-(\d+)(?:\.\.(\d+))?$/.exec(range) ?? [];
  if (source === undefined) throw new Error(`published: cannot read the rows ${range}`);
  const from = Number(first);
  const to = Number(last ?? first);
  return Array.from({ length: to - from + 1 }, (_, place) => idOf(source, from + place));
}
