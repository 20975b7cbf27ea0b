/**
 * The frontier: over which rates of table updates and TLB misses each scheme wins, per processor.
 */
import { assert } from "../../../machine/assert.ts";
import { type Finding, type FrontierMap, joined, say } from "../../../bench/results/answer.ts";
import type { Experiment } from "../experiment.ts";
import {
  agrees,
  type Generation,
  type Grid,
  gridPoints,
  isDecided,
  mapOf,
  programAgrees,
  schemes,
  slopeRange,
} from "../frontier-map.ts";
import { isolated, programs, recordings } from "../programs.ts";

const fullGrid: Grid = {
  missesPermille: [1, 3, 10, 30, 100, 300, 900],
  updatesPerMillion: [100, 300, 1000, 3000, 10_000, 30_000, 100_000],
};

/** Small host pages: what the years before transparent huge pages (2011) had. */
const small = { backing: "4k", coldPages: 3072 } as const;
/** 128 MiB on 64 host pages, four times what the nested TLB holds. */
const large = { backing: "2m", coldPages: 32_768 } as const;

/**
 * Core 2 has prices but no preset of its own: its predecessor's machine counts for it. Zen 2 is left out, for none of
 * its prices has a source.
 */
export const allGenerations = [
  { name: "Pentium 4, 2005 (had it had EPT)", preset: "p4-vtx", cost: "p4-vtx", ...small },
  { name: "Core 2, 2006 (had it had EPT)", preset: "p4-vtx", cost: "core2", ...small },
  { name: "Nehalem, 2008", preset: "nehalem", cost: "nehalem", ...small },
  { name: "Skylake-SP, 4 KiB host pages", preset: "skylake-sp", cost: "skylake-sp", ...small },
  { name: "Skylake-SP, 2 MiB host pages", preset: "skylake-sp", cost: "skylake-sp", ...large },
  {
    name: "Skylake-SP, 2 MiB host pages, data caches",
    preset: "skylake-sp-caches",
    cost: "skylake-sp",
    ...large,
  },
] as const satisfies readonly Generation[];

const shown = [
  programs.gups,
  programs.zipf,
  programs.keyValue,
  programs.compile,
  programs.forkwait,
  programs.mmapChurn,
  isolated(programs.keyValue),
  isolated(programs.syscalls),
  ...recordings,
];

function percentOf<T>(all: readonly T[], isCounted: (one: T) => boolean): number {
  return (100 * all.filter(isCounted).length) / all.length;
}

/** A coarser grid on fewer processors says less, but sooner. */
export const frontierOn = (grid: Grid, generations: readonly Generation[]): Experiment => ({
  title: "Where is the frontier, and how did it move?",
  points: generations.flatMap((generation) => [
    ...gridPoints(grid, generation),
    ...schemes.flatMap((engine) =>
      shown.map((program) => ({
        ...program,
        engine,
        preset: generation.preset,
        backing: generation.backing,
      })),
    ),
  ]),

  read(findings) {
    const maps = generations.map((generation) => mapOf({ grid, generation, shown }, findings));
    const weights = (wanted: Generation) => {
      const [least, most] = slopeRange({ grid, generation: wanted, shown }, findings);
      return say`${1 / most} to ${1 / least}`;
    };
    const territory = maps.map(({ name, cells }) => ({
      name,
      percent: percentOf(cells, ({ ratio }) => ratio > 1),
    }));
    const cells = maps.flatMap((map) =>
      map.cells.filter(isDecided).map((cell) => agrees(map, cell)),
    );
    const placed = maps.flatMap((map) =>
      map.programs.filter(isDecided).map((one) => programAgrees(map, one)),
    );
    const cellsAgree = percentOf(cells, (one) => one);
    const placedAgree = percentOf(placed, (one) => one);
    const [oldest] = maps;
    const of = (wanted: Pick<Generation, "preset" | "backing">) =>
      maps[
        generations.findIndex(
          ({ preset, backing }) => preset === wanted.preset && backing === wanted.backing,
        )
      ];
    const today = of({ preset: "skylake-sp", backing: "4k" });
    const onLarge = of({ preset: "skylake-sp", backing: "2m" });
    assert(
      oldest !== undefined && today !== undefined && onLarge !== undefined,
      "why: a generation is missing",
    );
    return {
      claim: say`Two rates decide: EPT wins above the line where exits times exit cost equal misses times the extra walk.`,
      number: say`EPT's share of the map: ${joined(
        territory.map(({ name, percent }) => say`${name} ${percent}%`),
        ", ",
      )}. On the line one update weighs as much as so many misses, with each assumed price halved and doubled: ${joined(
        generations.map((one) => say`${one.name} ${weights(one)}`),
        "; ",
      )}. The closed form names the winner in ${cellsAgree}% of the squares and for ${placedAgree}% of the programs, draws left out.`,
      evidence: say`frontier.csv, frontier-programs.csv; chart frontier`,
      change: say`Model: Core 2 counts on the Pentium 4's machine; both are asked what EPT would have been. Update bursts between flushes lie nearer to shadow than their rate says.`,
      checks: [
        { direction: "the closed form names most squares' winner", holds: cellsAgree > 75 },
        {
          direction: "both schemes own a part of Skylake's map",
          holds:
            today.cells.some(({ ratio }) => ratio > 1) &&
            today.cells.some(({ ratio }) => ratio < 1),
        },
        { direction: "2 MiB host pages let EPT's grow", holds: onLarge.slope < today.slope },
        {
          direction: "EPT's territory grew since the Pentium 4",
          holds: today.slope < oldest.slope,
        },
      ],
      tables: tablesOf(maps),
      figures: [
        {
          kind: "frontier",
          name: "frontier",
          data: {
            title: "Who wins at which rates, and how the frontier moved",
            remarks: [
              "Squares: a program of two knobs; blue where EPT wins, orange where lazy shadow paging does.",
              "Line: the closed form, exits x exit cost = misses x extra walk cost, from counts and prices.",
              "Discs: programs, coloured by their own winner, grey for a draw; on an edge: beyond it; touching: set side by side.",
            ],
            winners: ["EPT", "lazy shadow"],
            maps,
          },
        },
      ],
    };
  },
});

function tablesOf(maps: readonly FrontierMap[]): Finding["tables"] {
  return [
    {
      name: "frontier",
      rows: maps.flatMap((map) =>
        map.cells.map((cell) => ({
          processor: map.name,
          missesPerThousandFrom: cell.misses[0],
          missesPerThousandTo: cell.misses[1],
          updatesPerThousandFrom: cell.updates[0],
          updatesPerThousandTo: cell.updates[1],
          shadowOverEpt: cell.ratio,
          closedFormAgrees: agrees(map, cell) ? 1 : 0,
        })),
      ),
    },
    {
      name: "frontier-programs",
      rows: maps.flatMap((map) =>
        map.programs.map((one) => ({
          processor: map.name,
          program: one.name,
          missesPerThousand: one.misses,
          updatesPerThousand: one.updates,
          shadowOverEpt: one.ratio,
          closedFormAgrees: programAgrees(map, one) ? 1 : 0,
        })),
      ),
    },
  ];
}

export const frontier = frontierOn(fullGrid, allGenerations);
