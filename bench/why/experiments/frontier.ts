/**
 * The frontier: over which rates of table updates and TLB misses each scheme wins, per processor.
 */
import { joined, say } from "../answer.ts";
import type { FrontierCell, FrontierMap } from "../answer.ts";
import { fixedCost } from "../../cost-file.ts";
import { cyclesIn } from "../cycle-groups.ts";
import type { Experiment } from "../experiment.ts";
import { perThousand, six, updatesPerThousand, walkCycles } from "../figures.ts";
import type { Findings } from "../findings.ts";
import type { WhyPoint } from "../plan.ts";
import { repricedRow } from "../repriced-row.ts";
import { programName, programs, recordings } from "../programs.ts";

const missesPermille = [1, 3, 10, 30, 100, 300, 900];
const updatesPerMillion = [30, 100, 300, 1000, 3000, 10_000, 30_000];
/** Enough updates to be a rate, enough accesses to be warm. */
const updatesMin = 10;
const accessesMin = 20_000;

/** Core 2 has prices but no preset of its own: its predecessor's machine counts for it. */
const generations = [
  { name: "Pentium 4, 2005 (had it had EPT)", preset: "p4-vtx", cost: "p4-vtx" },
  { name: "Core 2, 2006 (had it had EPT)", preset: "p4-vtx", cost: "core2" },
  { name: "Nehalem, 2008", preset: "nehalem", cost: "nehalem" },
  { name: "Skylake-SP, 2017", preset: "skylake-sp", cost: "skylake-sp" },
  { name: "Zen 2, 2019", preset: "zen2", cost: "zen2" },
] as const;
type Generation = (typeof generations)[number];

const schemes = ["shadow-lazy", "ept"] as const;
type Scheme = (typeof schemes)[number];

const shown = [
  programs.gups,
  programs.zipf,
  programs.keyValue,
  programs.compile,
  programs.forkwait,
  programs.mmapChurn,
  programs.syscalls,
  ...recordings,
];

function cellPoint(
  { preset }: Generation,
  engine: Scheme,
  missPermille: number,
  perMillion: number,
): WhyPoint {
  const accesses = Math.max(accessesMin, Math.ceil((updatesMin * 1_000_000) / perMillion));
  const params = { accesses, missPermille, updatesPerMillion: perMillion };
  return { engine, preset, workload: "frontier", params };
}

function mapOf(generation: Generation, { row }: Findings): FrontierMap {
  const costFor = fixedCost(generation.cost);
  const priced = (point: WhyPoint) => repricedRow(row(point), costFor(point.preset ?? ""));
  const cell = (engine: Scheme, misses: number, updates: number) =>
    priced(cellPoint(generation, engine, misses, updates));
  const ratioOf = (pair: (engine: Scheme) => ReturnType<typeof priced>) =>
    six(pair("shadow-lazy").cyclesTotal / pair("ept").cyclesTotal);
  const [fewMisses = 1, manyMisses = 1] = [missesPermille[0], missesPermille.at(-1)];
  const [fewUpdates = 1, manyUpdates = 1] = [updatesPerMillion[0], updatesPerMillion.at(-1)];
  // Places on the axes are what was counted, not what was asked for.
  const columns = edges(
    missesPermille.map((misses) => perThousand(cell("ept", misses, fewUpdates), "stlbMisses")),
  );
  const rows = edges(
    updatesPerMillion.map((updates) => updatesPerThousand(cell("ept", fewMisses, updates))),
  );
  const missing = (engine: Scheme) => cell(engine, manyMisses, fewUpdates);
  const updating = (engine: Scheme) => cell(engine, fewMisses, manyUpdates);
  const perMiss =
    (walkCycles(missing("ept")) - walkCycles(missing("shadow-lazy"))) /
    missing("ept").counters.stlbMisses;
  const exitCycles = (engine: Scheme) =>
    cyclesIn(updating(engine), "exits") + cyclesIn(updating(engine), "software");
  const perUpdate =
    (exitCycles("shadow-lazy") - exitCycles("ept")) /
    ((updatesPerThousand(updating("ept")) * updating("ept").counters.accesses) / 1000);
  return {
    name: generation.name,
    slope: six(perMiss / perUpdate),
    cells: missesPermille.flatMap((misses, x) =>
      updatesPerMillion.map((updates, y): FrontierCell => ({
        misses: columns[x] ?? [0, 0],
        updates: rows[y] ?? [0, 0],
        ratio: ratioOf((engine) => cell(engine, misses, updates)),
      })),
    ),
    programs: shown.map((program) => {
      const of = (engine: Scheme) => priced({ ...program, engine, preset: generation.preset });
      return {
        name: programName(program),
        misses: six(perThousand(of("ept"), "stlbMisses")),
        updates: six(updatesPerThousand(of("ept"))),
        ratio: ratioOf(of),
      };
    }),
  };
}

/** Squares around rates that grow by about the same factor: each ends half-way to its neighbour. */
function edges(centres: readonly number[]): (readonly [number, number])[] {
  return centres.map((centre, index) => {
    const before = centres[index - 1];
    const after = centres[index + 1];
    const low = before === undefined ? (centre * centre) / (after ?? centre) : before;
    const high = after === undefined ? (centre * centre) / (before ?? centre) : after;
    return [six(Math.sqrt(low * centre)), six(Math.sqrt(centre * high))];
  });
}

/** Does the closed form say the same winner at the middle of the square? */
function agrees({ slope }: FrontierMap, { misses, updates, ratio }: FrontierCell): boolean {
  const middle = ([from, to]: readonly [number, number]) => Math.sqrt(from * to);
  return middle(updates) > slope * middle(misses) === ratio > 1;
}

function programAgrees(
  { slope }: FrontierMap,
  { misses, updates, ratio }: FrontierMap["programs"][number],
): boolean {
  return updates > slope * misses === ratio > 1;
}

function percentOf<T>(all: readonly T[], isCounted: (one: T) => boolean): number {
  return (100 * all.filter(isCounted).length) / all.length;
}

export const frontier: Experiment = {
  title: "Where is the frontier, and how did it move?",
  points: [...new Set(generations.map(({ preset }) => preset))].flatMap((preset) =>
    generations
      .filter(
        (one, index) =>
          one.preset === preset && generations.findIndex((g) => g.preset === preset) === index,
      )
      .flatMap((generation) =>
        schemes.flatMap((engine) => [
          ...missesPermille.flatMap((misses) =>
            updatesPerMillion.map((updates) => cellPoint(generation, engine, misses, updates)),
          ),
          ...shown.map((program) => ({ ...program, engine, preset })),
        ]),
      ),
  ),

  read(findings) {
    const maps = generations.map((generation) => mapOf(generation, findings));
    const territory = maps.map(({ name, cells }) => ({
      name: name.split(",")[0] ?? name,
      percent: percentOf(cells, ({ ratio }) => ratio > 1),
    }));
    const cells = maps.flatMap((map) => map.cells.map((cell) => agrees(map, cell)));
    const placed = maps.flatMap((map) => map.programs.map((one) => programAgrees(map, one)));
    const cellsAgree = percentOf(cells, (one) => one);
    const placedAgree = percentOf(placed, (one) => one);
    const [oldest] = maps;
    const today = maps.find(({ name }) => name.startsWith("Skylake"));
    if (!oldest || !today) throw new Error("why: a generation is missing");
    return {
      claim: say`Two rates decide: EPT wins above the line where exits times exit cost equal misses times the extra walk.`,
      number: say`EPT's share of the map: ${joined(
        territory.map(({ name, percent }) => say`${name} ${percent}%`),
        ", ",
      )}. On the line one update weighs as much as ${1 / oldest.slope} misses on the Pentium 4 and ${1 / today.slope} on Skylake-SP. The closed form names the winner in ${cellsAgree}% of the squares and for ${placedAgree}% of the programs.`,
      evidence: say`frontier.csv, frontier-programs.csv; chart frontier`,
      change: say`Model: Core 2 counts on the Pentium 4's machine; both are asked what EPT would have been. Update bursts between flushes lie nearer to shadow than their rate says.`,
      checks: [
        { direction: "the closed form names most squares' winner", holds: cellsAgree > 85 },
        {
          direction: "both schemes own a part of today's map",
          holds:
            today.cells.some(({ ratio }) => ratio > 1) &&
            today.cells.some(({ ratio }) => ratio < 1),
        },
        {
          direction: "EPT's territory grew since the Pentium 4",
          holds: today.slope < oldest.slope,
        },
      ],
      tables: [
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
      ],
      figures: [
        {
          kind: "frontier",
          name: "frontier",
          data: {
            title: "Who wins at which rates, and how the frontier moved",
            remarks: [
              "Squares: a program of two knobs. Points: programs, coloured by their own winner.",
              "Line: exits x exit cost = misses x extra walk cost, from counts and prices",
            ],
            winners: ["EPT", "lazy shadow"],
            maps,
          },
        },
      ],
    };
  },
};
