/**
 * The chart that papers print: what translation costs under each scheme, program by program, in cycles per access.
 *
 * The guest's own work is left out, because it is the same under all and hides the rest where a program computes.
 */
import type { Bars, PointRow } from "../../bench/results/result.ts";
import { six } from "../../bench/results/figures.ts";
import { cyclesIn } from "./cycle-groups.ts";

interface Part {
  readonly name: string;
  readonly colour: string;
  readonly cycles: (row: PointRow) => number;
}

const parts: readonly Part[] = [
  {
    name: "walks of guest (or shadow) tables",
    colour: "#0072b2",
    cycles: ({ cycles }) => cycles.walkGuest + cycles.walkUpdates,
  },
  { name: "walks of nested tables", colour: "#56b4e9", cycles: ({ cycles }) => cycles.walkNested },
  { name: "exits", colour: "#d55e00", cycles: (row) => cyclesIn(row, "exits") },
  { name: "hypervisor and host", colour: "#882255", cycles: (row) => cyclesIn(row, "software") },
];

export interface SchemePanel {
  readonly program: string;
  /** One of each scheme. */
  readonly rows: readonly PointRow[];
}

export function schemeBars(panels: readonly SchemePanel[]): Bars {
  return {
    title: "What translation costs under each scheme",
    remarks: ["Without the guest's own work, which is the same under all"],
    axisTitle: "cycles per access",
    legendTitle: "cause",
    parts: parts.map(({ name, colour }) => ({ name, colour })),
    panels: panels.map(({ program, rows }) => ({
      name: program,
      bars: rows.map((row) => ({
        name: row.key.engine,
        values: parts.map(({ cycles }) => six(cycles(row) / row.counters.accesses)),
      })),
    })),
  };
}
