/**
 * When write protection of IO tables beats caching mode: for single pages and a lazy guest.
 */
import { say } from "../../../bench/results/answer.ts";
import { type DmaExperiment, perMap } from "./experiment.ts";

const programs = ["nic-ring", "nvme-queue"] as const;
const flushes = ["strict", "lazy"] as const;
const schemes = ["shadow-cm", "shadow-wp"] as const;
const points = programs.flatMap((program) =>
  flushes.flatMap((flush) => schemes.map((scheme) => ({ program, flush, scheme }))),
);

export const protectionOrCachingMode: DmaExperiment = {
  title: "When does caching mode lose to write protection?",
  points,

  read({ of }) {
    const table = points.map((point) => {
      const row = of(point);
      return { ...point, exitsPerMap: perMap(row.exits, row), tablesWalked: row.tablesWalked };
    });
    const exits = (
      program: (typeof programs)[number],
      flush: (typeof flushes)[number],
      scheme: (typeof schemes)[number],
    ) => {
      const row = of({ program, flush, scheme });
      return perMap(row.exits, row);
    };
    const nic = exits("nic-ring", "lazy", "shadow-wp");
    const nicTold = exits("nic-ring", "lazy", "shadow-cm");
    const disk = exits("nvme-queue", "lazy", "shadow-wp");
    const diskTold = exits("nvme-queue", "lazy", "shadow-cm");
    return {
      claim: say`Protection exits once per entry, caching mode once per call. So protection never exits less: with mappings of one page and a guest that is lazy, which caching mode forbids, the two come out even; with scattered requests protection exits as often as there are pages. What protection buys is a guest that needs no caching mode.`,
      number: say`Exits per mapping, lazy: one page ${nic} against ${nicTold}; scattered ${disk} against ${diskTold}.`,
      evidence: say`devices-protection-or-caching-mode.csv; devices.csv`,
      change: say`A hypervisor that lets IO tables go unsync, as it does with a processor's, could not: a device takes no fault that would bring them up to date.`,
      checks: [
        {
          direction: "scattered: protection exits at least five times as often",
          holds: disk > 5 * diskTold,
        },
        {
          direction: "single pages, lazy: within a tenth of each other",
          holds: Math.abs(nic / nicTold - 1) < 0.1,
        },
        {
          direction: "single pages, strict: protection exits more",
          holds:
            exits("nic-ring", "strict", "shadow-wp") > exits("nic-ring", "strict", "shadow-cm"),
        },
      ],
      tables: [{ name: "devices-protection-or-caching-mode", rows: table }],
      figures: [],
    };
  },
};
