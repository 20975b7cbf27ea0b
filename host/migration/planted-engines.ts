/**
 * For tests: engines whose dirty log is wrong in one thing each.
 */
import { dirtyTracker } from "../../hypervisor/dirty/compose.ts";
import { pageModificationLog } from "../../hypervisor/dirty/pml.ts";
import type { DirtyTracker } from "../../hypervisor/dirty/tracker.ts";
import type { WriteDetector } from "../../hypervisor/dirty/write-detector.ts";
import { writeProtection } from "../../hypervisor/dirty/write-protect.ts";
import type { CreateEngine, Engine } from "../../hypervisor/engine.ts";
import { createNested } from "../../engines/ept.ts";
import type { Platform } from "../../hypervisor/platform.ts";

const creators: Readonly<Record<string, CreateEngine>> = {
  "write-protect forgets to arm again": (platform, options) => {
    let wasAsked = false;
    const detector: WriteDetector = {
      ...writeProtection,
      arm: (tables, gfn) => (wasAsked ? undefined : writeProtection.arm(tables, gfn)),
      sync: () => {
        wasAsked = true;
      },
    };
    return engineOf(platform, detector, dirtyTracker(platform, detector, { options }));
  },
  "write-protect forgets the flush": (platform, options) =>
    engineOf(
      platform,
      writeProtection,
      withoutFlush(dirtyTracker(platform, writeProtection, { options })),
    ),
  "PML forgets the flush after clearing D": (platform, options) => {
    const detector = pageModificationLog(platform.memory);
    return engineOf(
      platform,
      detector,
      withoutFlush(dirtyTracker(platform, detector, { options })),
    );
  },
  "PML drops what is in the buffer at a question": (platform, options) => {
    const detector: WriteDetector = {
      ...pageModificationLog(platform.memory),
      sync({ vcpus }) {
        for (const { mmu } of vcpus) mmu.resetPml();
      },
    };
    return engineOf(platform, detector, dirtyTracker(platform, detector, { options }));
  },
  "PML forgets the last frame of a report": (platform, options) => {
    const detector = pageModificationLog(platform.memory);
    const tracker = dirtyTracker(platform, detector, { options });
    return engineOf(platform, detector, {
      ...tracker,
      collect: () => tracker.collect().slice(0, -1),
    });
  },
};

export const planted: Readonly<Record<string, Engine>> = Object.fromEntries(
  Object.entries(creators).map(([title, create]) => [title, { title, family: "nested", create }]),
);

function engineOf(platform: Platform, { armsByProtection }: WriteDetector, tracker: DirtyTracker) {
  return createNested(platform, { format: "ept", accessedDirty: !armsByProtection, tracker });
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
