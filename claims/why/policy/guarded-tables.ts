/**
 * What it costs to hold a lock on pages: shadow paging pays nothing more, EPT has to guard the guest's tables.
 */
import { joined, say } from "../../../bench/results/answer.ts";
import { six } from "../../../bench/results/figures.ts";
import { textPages } from "../../../guest/layout.ts";
import type { Experiment } from "../experiment.ts";
import { rowNames } from "../findings.ts";
import { guardedPrograms } from "./guarded-programs.ts";

const schemes = {
  shadow: "shadow",
  shadowLocked: "shadow, text locked",
  lazy: "kvm-6.12",
  lazyLocked: "kvm-6.12, text locked",
  ept: "ept",
  path: "ept, path guarded",
  path4: "ept, path guarded, CR3 targets",
  all: "ept, tables guarded",
  all4: "ept, tables guarded, CR3 targets",
  all4pw: "ept, tables guarded, CR3 targets, paging-write",
  hlat: "ept, text pinned by HLAT",
} as const;
type Scheme = keyof typeof schemes;

export const guardedTables: Experiment = {
  title: "What does a lock on pages cost?",
  points: guardedPrograms.flatMap((program) =>
    ["native", ...Object.values(schemes)].map((engine) => ({ ...program, engine })),
  ),

  read({ row }) {
    const table = guardedPrograms.map((program) => {
      const of = (scheme: Scheme) => row({ ...program, engine: schemes[scheme] });
      const slow = (scheme: Scheme) => six(of(scheme).slowdown ?? Number.NaN);
      const exits = (scheme: Scheme) => of(scheme).counters.exits;
      return {
        program: program.workload,
        addedByLock: exits("shadowLocked") - exits("shadow") + exits("lazyLocked") - exits("lazy"),
        exitsShadow: exits("shadow"),
        exitsLazy: exits("lazy"),
        exitsEpt: exits("ept"),
        exitsPath4: exits("path4"),
        exitsAll: exits("all"),
        exitsAll4: exits("all4"),
        exitsAll4Pw: exits("all4pw"),
        slowdownShadow: slow("shadow"),
        slowdownLazy: slow("lazy"),
        slowdownEpt: slow("ept"),
        slowdownPath: slow("path"),
        slowdownPath4: slow("path4"),
        slowdownAll: slow("all"),
        slowdownAll4: slow("all4"),
        slowdownHlat: slow("hlat"),
        addedByHlat: exits("hlat") - exits("ept"),
      };
    });
    const lazyWins = table.filter(({ slowdownLazy, slowdownAll }) => slowdownLazy < slowdownAll);
    const shadowKeeps = table.filter(
      ({ slowdownLazy, slowdownAll4 }) => slowdownLazy < slowdownAll4,
    );
    const cheap = table.filter(
      ({ slowdownPath4, slowdownEpt }) => slowdownPath4 < 1.02 * slowdownEpt,
    );
    const most = (of: (one: (typeof table)[number]) => number) => Math.max(...table.map(of));
    const exitsByHlat = most(({ addedByHlat }) => addedByHlat);
    const mostByHlat = most(({ slowdownHlat, slowdownEpt }) => slowdownHlat / slowdownEpt);
    const mostMarks = most(({ exitsAll4, exitsAll4Pw }) => exitsAll4 - exitsAll4Pw);
    const each = table.map(
      ({ program, slowdownLazy, slowdownPath4, slowdownAll4 }) =>
        say`${program} ${slowdownLazy} / ${slowdownPath4} / ${slowdownAll4}`,
    );
    const all = guardedPrograms.flatMap((program) =>
      Object.values(schemes).map((engine) => row({ ...program, engine })),
    );
    return {
      claim: say`In a shadow the rule is asked where an entry is made, so the lock costs no exit. EPT has to write-protect the guest's tables: all of them brings shadow paging's exits back on top of two-dimensional walks, the few on the way to kernel pages cost next to nothing once the CR3 values in use exit no more.`,
      number: say`Slowdown lazily / EPT with the path guarded and four CR3 targets / EPT with all tables guarded and four targets: ${joined(each, ", ")}. With every CR3 write exiting lazy shadow is cheaper than guarded EPT on ${lazyWins.length} of ${table.length}, with four targets on ${shadowKeeps.length}. Paging-write, by which silicon sets A and D bits in guarded tables itself, takes at most ${mostMarks} exits away. HLAT adds at most ${exitsByHlat} exits and makes EPT ${six(mostByHlat)} times as slow at most. The guarded path stays within 2% of EPT itself on ${cheap.length}.`,
      evidence: say`${rowNames(all)}; guarded-tables.csv`,
      change: say`Walk caches that keep HLAT's tables, which these do not, make HLAT cheaper still. A real kernel presets fewer A and D bits than this one, which adds exits to guarded EPT that paging-write saves.`,
      checks: [
        {
          direction: "a lock adds no exit to a shadow",
          holds: table.every(({ addedByLock }) => addedByLock === 0),
        },
        {
          direction:
            "guarding all tables costs EPT most of shadow paging's exits where tables change",
          holds: table.every(
            ({ exitsAll, exitsShadow }) => exitsShadow === 0 || exitsAll > exitsShadow / 2,
          ),
        },
        {
          direction: "HLAT adds no more exits to EPT than pages are locked",
          holds: table.every(({ addedByHlat }) => addedByHlat <= textPages.count),
        },
        {
          direction: "paging-write adds no exit",
          holds: table.every(({ exitsAll4, exitsAll4Pw }) => exitsAll4Pw <= exitsAll4),
        },
        { direction: "lazy shadow is cheaper on most", holds: 2 * lazyWins.length > table.length },
        {
          direction: "four CR3 targets make the path cheap on most",
          holds: 2 * cheap.length > table.length,
        },
      ],
      tables: [{ name: "guarded-tables", rows: table }],
      figures: [
        {
          kind: "bars",
          name: "guarded-tables",
          data: {
            title: "The price of a lock on pages",
            remarks: [
              "Slowdown over bare metal; 16 pages of kernel text locked; EPT with four CR3-target values.",
            ],
            axisTitle: "run time over native",
            legendTitle: "",
            parts: [{ name: "run time", colour: "#4c78a8" }],
            panels: table.map((one) => {
              return {
                name: one.program,
                bars: [
                  { name: "shadow", values: [one.slowdownShadow] },
                  { name: "lazy", values: [one.slowdownLazy] },
                  { name: "ept", values: [one.slowdownEpt] },
                  { name: "path", values: [one.slowdownPath4] },
                  { name: "all", values: [one.slowdownAll4] },
                  { name: "hlat", values: [one.slowdownHlat] },
                ],
              };
            }),
          },
        },
      ],
    };
  },
};
