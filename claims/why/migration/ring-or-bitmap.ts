/**
 * Dirty ring against bitmap, both fed by PML: who decides when the log is read.
 */
import { say } from "../../../bench/results/answer.ts";
import { six } from "../../../bench/results/figures.ts";
import type { MigrationExperiment } from "./experiment.ts";
import { endless, writerOf } from "./programs.ts";

const engines = ["ept-pml", "ept-ring"] as const;
const hotSets = [320, 6000] as const;
const pages = 8000;

function pointOf(engine: string, hotPages: number) {
  // A slow link: questions are rare, so that a ring may fill in between.
  const migration = { ...endless, bandwidth: 40e9 };
  return { ...writerOf(pages, hotPages, 240_000), engine, migration };
}

export const ringOrBitmap: MigrationExperiment = {
  title: "Dirty ring or bitmap?",
  points: hotSets.flatMap((hot) => engines.map((engine) => pointOf(engine, hot))),

  read({ of }) {
    const table = hotSets.map((hot) => {
      const [bitmap, ring] = engines.map((engine) => of(pointOf(engine, hot)).outcome);
      if (bitmap === undefined || ring === undefined) throw new Error("bug: why: a log less");
      return {
        hotPages: hot,
        slowdownBitmap: six(bitmap.trackerSlowdown),
        slowdownRing: six(ring.trackerSlowdown),
        dirtiedBitmap: bitmap.pagesDirtied,
        dirtiedRing: ring.pagesDirtied,
        resentBitmap: bitmap.pagesResent,
        resentRing: ring.pagesResent,
      };
    });
    const [few, many] = table;
    if (few === undefined || many === undefined) throw new Error("bug: why: a hot set less");
    return {
      claim: say`A ring that is large enough costs the guest what a bitmap costs it. One that fills stops the guest until somebody has read it: the guest pays for a fast dirty rate at once, where a bitmap only sends more.`,
      number: say`With ${few.hotPages} hot pages the guest runs ${few.slowdownBitmap} times as long with a bitmap and ${few.slowdownRing} with a ring of 4096; with ${many.hotPages} hot pages ${many.slowdownBitmap} and ${many.slowdownRing}. The logs report ${many.dirtiedBitmap} and ${many.dirtiedRing} pages.`,
      evidence: say`ring-or-bitmap.csv; migration.csv`,
      change: say`QEMU empties rings every second from a thread of its own; here the ring is emptied when it is full or read. Several vCPUs have a ring each, which bounds each of them by itself.`,
      checks: [
        {
          direction: "a ring that never fills costs within 2% of a bitmap",
          holds: Math.abs(few.slowdownRing / few.slowdownBitmap - 1) < 0.02,
        },
        {
          direction: "a ring that fills costs the guest more than a bitmap",
          holds: many.slowdownRing > many.slowdownBitmap,
        },
      ],
      tables: [{ name: "ring-or-bitmap", rows: table }],
      figures: [],
    };
  },
};
