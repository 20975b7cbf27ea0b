/**
 * TLB misses by level: how often an access needs the second level, and how often a walk.
 */
import type { Chart } from "../chart.ts";
import { stackedBars } from "../stacked-bars.ts";

export const tlbMisses: Chart = {
  spec(setting) {
    return stackedBars(setting, {
      title: "TLB misses by level under each engine",
      remarks: ["Whole bar: misses of the first level. Thin lines: all seeds"],
      axisTitle: "misses per 1000 guest accesses",
      legendTitle: "a miss of the first level ends in",
      parts: [
        {
          name: "a page walk (the second level misses too)",
          colour: "#0072b2",
          valueOf: ({ counters }) => (1000 * counters.stlbMisses) / Math.max(1, counters.accesses),
        },
        {
          name: "a hit in the second level",
          colour: "#a6cbe3",
          valueOf: ({ counters }) => (1000 * counters.stlbHits) / Math.max(1, counters.accesses),
        },
      ],
      reference: null,
      engines: setting.engines,
    });
  },
};
