/** The registry of charts: a new one is its file and a line here. */
import type { Chart } from "../chart.ts";
import { cycles } from "./cycles.ts";
import { exits } from "./exits.ts";
import { slowdown } from "./slowdown.ts";
import { tlbMisses } from "./tlb-misses.ts";
import { walkLengths } from "./walk-lengths.ts";

export const charts = {
  slowdown,
  cycles,
  exits,
  "walk-lengths": walkLengths,
  "tlb-misses": tlbMisses,
} as const satisfies Record<string, Chart>;
