/**
 * The path of a walk for each scheme: which tables it comes to, and through what.
 *
 * Seen failing with: the page's own nested references left out, and nested references counted to the table before them.
 */
import { expect, test } from "vitest";
import { showWalk } from "../bench/points/show-walk.ts";
import { walkPath } from "./walk-path.ts";

const request = {
  gva: "0x400000",
  preset: "textbook",
  guestLevels: 4,
  nestedLevels: 4,
  pages: "4k",
  backing: "4k",
} as const;
const pathOf = (engine: string) => walkPath(showWalk({ ...request, engine }));

test.each([
  ["native", ["", "", "", "", ""]],
  ["shadow", ["", "", "", "", ""]],
  ["ept", Array.from({ length: 5 }, () => "n4 n3 n2 n1")],
  // With the root's translation kept, which is dropped with the other caches here, one fewer.
  ["ept-flat", Array.from({ length: 5 }, () => "n1")],
  ["ept-folded", Array.from({ length: 5 }, () => "n3 n1")],
  // A space that nobody has found to rest is walked from its root, at its host frame.
  ["agile", ["", ...Array.from({ length: 4 }, () => "n4 n3 n2 n1")]],
])("%s", (engine, nested) => {
  const width = Math.max(...nested.map((part) => part.length));
  const ends = ["g4", "g3", "g2", "g1", "page"];
  expect(pathOf(engine)).toEqual(
    nested.map((part, i) => (width > 0 ? `${part.padEnd(width)} ` : "") + (ends[i] ?? "")),
  );
});
