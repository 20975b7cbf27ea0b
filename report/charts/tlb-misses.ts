/**
 * TLB misses by level: how often an access needs the second level, and how often a walk.
 */
import type { Chart } from "../chart.ts";
import { stackedBars } from "../stacked-bars.ts";

export const tlbMisses: Chart = {
  question: "How often does the TLB miss?",
  spec(setting) {
    return stackedBars(setting, {
      title: "TLB misses by level under each engine",
      remarks: ["Whole bar: misses of the first level"],
      emptyRemark: "No misses at all",
      axisTitle: "misses per 1000 guest accesses",
      legendTitle: "misses of the first level",
      parts: [
        {
          name: "second level misses too: a walk",
          colour: "#0072b2",
          valueOf: ({ counters }) => (1000 * counters.stlbMisses) / Math.max(1, counters.accesses),
        },
        {
          name: "second level hits",
          colour: "#a6cbe3",
          valueOf: ({ counters }) => (1000 * counters.stlbHits) / Math.max(1, counters.accesses),
        },
      ],
      reference: null,
      engines: setting.engines,
    });
  },
};
