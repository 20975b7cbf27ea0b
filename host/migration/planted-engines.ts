/**
 * For tests: engines whose dirty log is wrong in one thing each.
 */
import { dirtyTracker } from "../../engines/dirty/compose.ts";
import { pageModificationLog } from "../../engines/dirty/pml.ts";
import type { DirtyTracker } from "../../engines/dirty/tracker.ts";
import type { WriteDetector } from "../../engines/dirty/write-detector.ts";
import { writeProtection } from "../../engines/dirty/write-protect.ts";
import type { EngineFactory } from "../../engines/engine.ts";
import { createNested } from "../../engines/ept.ts";
import type { Machine } from "../../machine/machine.ts";

export const planted: Readonly<Record<string, EngineFactory>> = {
  "write-protect forgets to arm again": (machine) => {
    let wasAsked = false;
    const detector: WriteDetector = {
      ...writeProtection,
      arm: (tables, gfn) => (wasAsked ? undefined : writeProtection.arm(tables, gfn)),
      sync: () => {
        wasAsked = true;
      },
    };
    return engineOf(machine, detector, dirtyTracker(machine, detector));
  },
  "write-protect forgets the flush": (machine) =>
    engineOf(machine, writeProtection, withoutFlush(dirtyTracker(machine, writeProtection))),
  "PML forgets the flush after clearing D": (machine) => {
    const detector = pageModificationLog(machine.memory);
    return engineOf(machine, detector, withoutFlush(dirtyTracker(machine, detector)));
  },
  "PML drops what is in the buffer at a question": (machine) => {
    const detector: WriteDetector = {
      ...pageModificationLog(machine.memory),
      sync({ vcpus }) {
        for (const { mmu } of vcpus) mmu.resetPml();
      },
    };
    return engineOf(machine, detector, dirtyTracker(machine, detector));
  },
  "PML forgets the last frame of a report": (machine) => {
    const detector = pageModificationLog(machine.memory);
    const tracker = dirtyTracker(machine, detector);
    return engineOf(machine, detector, {
      ...tracker,
      collect: () => tracker.collect().slice(0, -1),
    });
  },
};

function engineOf(machine: Machine, { armsByProtection }: WriteDetector, tracker: DirtyTracker) {
  return createNested(machine, { format: "ept", accessedDirty: !armsByProtection, tracker });
}

/** Flushes when logging begins, and never again. */
function withoutFlush(tracker: DirtyTracker): DirtyTracker {
  return {
    ...tracker,
    start(tables, range) {
      let flushes = 0;
      const flush = () => {
        if (flushes === 0) tables.flush();
        flushes += 1;
      };
      tracker.start({ ...tables, flush }, range);
    },
  };
}
