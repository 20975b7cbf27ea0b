/**
 * One walk as a path of references: a line for each table that it comes to, and one for the page.
 *
 * `n4` is a nested table's entry of level 4, `g3` one of a guest's (or shadow) table of level 3.
 */
import type { ShownWalk } from "../bench/points/show-walk.ts";

export function walkPath({ steps }: Pick<ShownWalk, "steps">): string[] {
  const lines: { nested: string[]; end: string }[] = [];
  let nested: string[] = [];
  for (const { dimension, level } of steps) {
    if (dimension === "nested") nested.push(`n${level}`);
    else {
      lines.push({ nested, end: `g${level}` });
      nested = [];
    }
  }
  lines.push({ nested, end: "page" });
  const width = Math.max(...lines.map((line) => line.nested.length));
  const through = (references: string[]) => references.map((one) => `${one} `).join("");
  return lines.map((line) => through(line.nested).padEnd(3 * width) + line.end);
}
