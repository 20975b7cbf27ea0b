/** Tables on nodes: copies that stay alike, and tables that move. */
import { expect, test } from "vitest";
import type { Pfn } from "../../machine/address.ts";
import {
  frameOf,
  freshPage,
  isAccessed,
  lowHalf,
  withAccessed,
  withoutAccessed,
} from "../../machine/formats/x86-entry.ts";
import { x86 } from "../../machine/formats/x86.ts";
import { PhysicalMemory } from "../../machine/memory.ts";
import { balanceTables } from "./balance.ts";
import { makePlace } from "./radix.ts";
import { replicateTables } from "./replicas.ts";

test("what silicon notes in one copy is read, and a link leads to the copy on its own node", () => {
  const memory = new PhysicalMemory({ guestFrames: 512, tableFrames: 64, nodes: 2 });
  const tables = replicateTables(memory, { nodes: 2, format: x86 });
  const root = tables.allocateTable(1);
  const tree = { memory: tables, format: x86, root, levels: 3 };
  const { table, index } = makePlace(tree, 5, 1);
  tables.writeEntry(table, index, 77, freshPage);
  for (const node of [0, 1]) {
    let at = tables.on(root, node);
    for (let level = 3; level > 1; level--) {
      expect(memory.nodeOf(at)).toBe(node);
      at = frameOf(memory.readLow(at, 0), memory.readHigh(at, 0)) as Pfn;
    }
    expect(at).toBe(tables.on(table, node));
    expect(memory.readLow(at, 5)).toBe(lowHalf(77, freshPage));
  }
  const far = tables.on(table, 0);
  memory.setLow(far, 5, withAccessed(memory.readLow(far, 5)));
  expect(isAccessed(tables.readLow(table, 5))).toBe(true);
  tables.setLow(table, 5, withoutAccessed(tables.readLow(table, 5)));
  expect(isAccessed(memory.readLow(far, 5))).toBe(false);
});

test("tables move to what they point to, and say the same as before", () => {
  const memory = new PhysicalMemory({ guestFrames: 4096, tableFrames: 64, nodes: 2 });
  memory.tableNode = 1;
  const tree = { memory, format: x86, root: memory.allocateTable(), levels: 4 };
  const pages = [0, 1, 700, 512 * 512 + 3];
  for (const page of pages) {
    const { table, index } = makePlace(tree, page, 1);
    // Frames of node 0, but for page 700's.
    memory.writeEntry(table, index, page === 700 ? 3000 : page % 100, freshPage);
  }
  const before = pages.map((page) => memory.readLow(makePlace(tree, page, 1).table, page % 512));
  // The leaf table of page 700 stays, and the root does; two leaf tables and the four above them are judged by children.
  expect(balanceTables(tree, 2)).toBe(3);
  const nodes = pages.map((page) => memory.nodeOf(makePlace(tree, page, 1).table));
  expect(nodes).toEqual([0, 0, 1, 0]);
  const after = pages.map((page) => memory.readLow(makePlace(tree, page, 1).table, page % 512));
  expect(after).toEqual(before);
  expect(balanceTables(tree, 2)).toBe(0);
});
