/**
 * One phase map: a grid of two rates on one processor, programs on it, and the closed form's line.
 */
import { fixedCost, readCost } from "../../bench/costs/cost-file.ts";
import type { CostModel } from "../../bench/costs/cost.ts";
import { priceList, scaled } from "../../bench/costs/price-list.ts";
import type { FrontierCell, FrontierMap } from "../../bench/results/answer.ts";
import { cyclesIn } from "./cycle-groups.ts";
import { perThousand, six, updatesPerThousand, walkCycles } from "../../bench/results/figures.ts";
import type { Findings } from "./findings.ts";
import type { WhyPoint } from "./plan.ts";
import { programName } from "./programs.ts";
import { repricedRow } from "./repriced-row.ts";

/** Rates of the squares, rising. */
export interface Grid {
  readonly missesPermille: readonly number[];
  readonly updatesPerMillion: readonly number[];
}

export interface Generation {
  readonly name: string;
  readonly preset: NonNullable<WhyPoint["preset"]>;
  /** The cost file that prices it. */
  readonly cost: string;
  readonly backing: NonNullable<WhyPoint["backing"]>;
  /** Cold pages of the squares: their host pages must outreach the nested TLB, as a large heap's do. */
  readonly coldPages: number;
}

export interface MapToRead {
  readonly grid: Grid;
  readonly generation: Generation;
  readonly shown: readonly Omit<WhyPoint, "engine">[];
}

export const schemes = ["shadow-lazy", "ept"] as const;
type Scheme = (typeof schemes)[number];

/** Enough updates to be a rate, enough accesses to be warm. */
const updatesMin = 10;
const accessesMin = 10_000;

function cellPoint(
  { preset, backing, coldPages }: Generation,
  engine: Scheme,
  missPermille: number,
  perMillion: number,
): WhyPoint {
  const accesses = Math.max(accessesMin, Math.ceil((updatesMin * 1_000_000) / perMillion));
  const params = { accesses, missPermille, updatesPerMillion: perMillion, pages: coldPages };
  return { engine, preset, backing, workload: "frontier", params };
}

/** Every cell of every processor. */
export function gridPoints(
  { missesPermille, updatesPerMillion }: Grid,
  generation: Generation,
): WhyPoint[] {
  return schemes.flatMap((engine) =>
    missesPermille.flatMap((misses) =>
      updatesPerMillion.map((updates) => cellPoint(generation, engine, misses, updates)),
    ),
  );
}

export function mapOf(map: MapToRead, { row }: Findings): FrontierMap {
  const { generation, shown } = map;
  const { missesPermille, updatesPerMillion } = map.grid;
  const costFor = fixedCost(generation.cost);
  const priced = (point: WhyPoint) => repricedRow(row(point), costFor(point.preset ?? ""));
  const cell = (engine: Scheme, misses: number, updates: number) =>
    priced(cellPoint(generation, engine, misses, updates));
  const ratioOf = (pair: (engine: Scheme) => ReturnType<typeof priced>) =>
    six(pair("shadow-lazy").cyclesTotal / pair("ept").cyclesTotal);
  const [fewMisses = 1] = missesPermille;
  const [fewUpdates = 1] = updatesPerMillion;
  // Places on the axes are what was counted, not what was asked for.
  const columns = edges(
    missesPermille.map((misses) => perThousand(cell("ept", misses, fewUpdates), "stlbMisses")),
  );
  const rows = edges(
    updatesPerMillion.map((updates) => updatesPerThousand(cell("ept", fewMisses, updates))),
  );
  return {
    name: generation.name,
    slope: six(slopeOf(map, row, costFor(generation.preset))),
    cells: missesPermille.flatMap((misses, x) =>
      updatesPerMillion.map((updates, y): FrontierCell => ({
        misses: columns[x] ?? [0, 0],
        updates: rows[y] ?? [0, 0],
        ratio: ratioOf((engine) => cell(engine, misses, updates)),
      })),
    ),
    programs: shown.map((program) => {
      const of = (engine: Scheme) =>
        priced({ ...program, engine, preset: generation.preset, backing: generation.backing });
      return {
        name: programName(program),
        misses: six(perThousand(of("ept"), "stlbMisses")),
        updates: six(updatesPerThousand(of("ept"))),
        ratio: ratioOf(of),
      };
    }),
  };
}

/** The closed form at these prices: extra cycles of a miss under EPT over those of an update under shadow paging. */
function slopeOf({ grid, generation }: MapToRead, row: Findings["row"], cost: CostModel): number {
  const { missesPermille, updatesPerMillion } = grid;
  const [fewMisses = 1, manyMisses = 1] = [missesPermille[0], missesPermille.at(-1)];
  const [fewUpdates = 1, manyUpdates = 1] = [updatesPerMillion[0], updatesPerMillion.at(-1)];
  const cell = (engine: Scheme, misses: number, updates: number) =>
    repricedRow(row(cellPoint(generation, engine, misses, updates)), cost);
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
  return perMiss / perUpdate;
}

/** Least and most of the slope when each assumed price is halved and doubled, one at a time. */
export function slopeRange(map: MapToRead, { row }: Findings): readonly [number, number] {
  const { cost: name } = map.generation;
  const cost = readCost(name);
  const assumed = priceList(name).filter(({ isAssumed }) => isAssumed);
  const slopes = assumed.flatMap((price) =>
    [0.5, 2].map((factor) => slopeOf(map, row, scaled(cost, new Map([[price.name, factor]])))),
  );
  return [Math.min(...slopes), Math.max(...slopes)];
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

/** Ratios so near to 1 have no winner. */
export function isDecided({ ratio }: { readonly ratio: number }): boolean {
  return Math.abs(ratio - 1) > 0.005;
}

/** Does the closed form say the same winner at the middle of the square? */
export function agrees({ slope }: FrontierMap, { misses, updates, ratio }: FrontierCell): boolean {
  const middle = ([from, to]: readonly [number, number]) => Math.sqrt(from * to);
  return middle(updates) > slope * middle(misses) === ratio > 1;
}

export function programAgrees(
  { slope }: FrontierMap,
  { misses, updates, ratio }: FrontierMap["programs"][number],
): boolean {
  return updates > slope * misses === ratio > 1;
}
