/** A guest that may keep only part of its pages in memory; the host swaps the rest. */
import { freshMemory, type Scenario } from "../scenario.ts";

export const overcommit: Scenario = {
  title: "Overcommitted memory",
  summary: "only --limit percent of the pages that the guest uses may stay in memory",
  guests: 1,
  clones: false,
  uses: ["limitPercent"],
  kernel: freshMemory,
  started(guests, { limitPercent }) {
    for (const { hypervisor, memory } of guests) {
      let backed = 0;
      memory.forEachBacked(() => (backed += 1));
      const frames = Math.max(framesMin, Math.floor((backed * limitPercent) / 100));
      hypervisor.host({ kind: "memory-limit", frames });
    }
  },
  act: () => undefined,
};

/** An instruction needs its tables and pages together, and the kernel runs in between. */
const framesMin = 64;
