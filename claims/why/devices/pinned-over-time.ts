/**
 * Memory that the host cannot take from a guest while a device is used, as time goes on.
 */
import { type Bars, say } from "../../../bench/results/answer.ts";
import { percent, six } from "../../../bench/results/figures.ts";
import type { DmaExperiment, DmaPoint } from "./experiment.ts";

const schemes = ["pinned", "nested", "shadow-cm", "shadow-pri", "coiommu"] as const;
type Scheme = (typeof schemes)[number];
const programs = ["nic-ring", "nvme-queue", "stream-reader"] as const;
type Program = (typeof programs)[number];
const points: readonly DmaPoint[] = programs.flatMap((program) =>
  schemes.map((scheme) => ({ scheme, program })),
);

export const pinnedOverTime: DmaExperiment = {
  title: "How much of a guest's memory is pinned, and when?",
  points,

  read({ of, pinnedOf }) {
    const share = (pages: number, point: DmaPoint) => six(percent(pages, of(point).guestPages));
    const sharesOf = (scheme: Scheme, program: Program) => {
      const point = { scheme, program };
      return pinnedOf(point).map((pages) => share(pages, point));
    };
    const first = (scheme: Scheme, program: Program) => sharesOf(scheme, program)[0] ?? 0;
    const last = (scheme: Scheme, program: Program) => sharesOf(scheme, program).at(-1) ?? 0;
    return {
      claim: say`Without shadow tables all memory is pinned from the first moment, whatever the guest maps. Shadowed, what it has mapped is; built when the device asks, what it has asked for; torn down late, also what it gave up a while ago.`,
      number: say`Of the guest's memory, percent: a queue's pages ${first("shadow-cm", "nvme-queue")} by caching mode at first and ${last("shadow-cm", "nvme-queue")} at the end, when it has drained; ${last("coiommu", "nvme-queue")} under coIOMMU; a reader's, mapped once, ${first("shadow-pri", "stream-reader")} after an eighth of its run where the device asks, ${last("shadow-pri", "stream-reader")} at the end, ${first("shadow-cm", "stream-reader")} from the start by caching mode.`,
      evidence: say`devices-pinned-over-time.csv`,
      change: say`A guest that maps all its memory once (pass-through) pins all of it under every scheme.`,
      checks: [
        {
          direction: "nested hardware pins all memory all the time",
          holds: programs.every((program) => sharesOf("nested", program).every((p) => p === 100)),
        },
        {
          direction: "caching mode lets go of what the guest unmaps, coIOMMU later",
          holds:
            last("shadow-cm", "nvme-queue") < first("shadow-cm", "nvme-queue") / 10 &&
            last("coiommu", "nvme-queue") >= first("coiommu", "nvme-queue"),
        },
        {
          direction: "tables built on request pin a mapping as it is used",
          holds: first("shadow-pri", "stream-reader") < last("shadow-pri", "stream-reader"),
        },
      ],
      tables: [
        {
          name: "devices-pinned-over-time",
          rows: programs.flatMap((program) =>
            schemes.flatMap((scheme) =>
              pinnedOf({ scheme, program }).map((pages, part) => ({
                program,
                scheme,
                eighth: part + 1,
                pages,
                percent: share(pages, { scheme, program }),
              })),
            ),
          ),
        },
      ],
      figures: [{ kind: "bars", name: "devices-pinned-over-time", data: chart(sharesOf) }],
    };
  },
};

function chart(sharesOf: (scheme: Scheme, program: Program) => readonly number[]): Bars {
  const shown = schemes.filter((scheme) => scheme !== "pinned" && scheme !== "nested");
  return {
    title: "Devices: memory pinned as a run goes on",
    remarks: ["at the end of each eighth of the run; without a virtual IOMMU, and nested: all"],
    axisTitle: "memory pinned, %",
    legendTitle: "share",
    parts: [{ name: "pinned", colour: "#56b4e9" }],
    panels: programs.flatMap((program) =>
      shown.map((scheme) => ({
        name: `${program}, ${scheme}`,
        bars: sharesOf(scheme, program).map((value, part) => ({
          name: `${part + 1}/8`,
          values: [value],
        })),
      })),
    ),
  };
}
