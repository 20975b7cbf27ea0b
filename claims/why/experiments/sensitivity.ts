/**
 * How much rests on prices that are assumed: each halved and doubled, alone and all together.
 */
import { readCost } from "../../../bench/costs/cost-file.ts";
import { type CostModel, price, totalCycles } from "../../../bench/costs/cost.ts";
import { type ListedPrice, priceList, scaled } from "../../../bench/costs/price-list.ts";
import { joined, say } from "../../../bench/results/answer.ts";
import { geometricMean, six } from "../../../bench/results/figures.ts";
import type { PointRow } from "../../../bench/results/result.ts";
import type { Experiment } from "../experiment.ts";
import { headlinePrograms, isolated, programName, programs, systems } from "../programs.ts";

const shown = headlinePrograms;
const { boot, keyValue, syscalls } = programs;
/** Judged for their winners, but in no mean: each stands for a program that is in it already. */
const beside = [
  ...[boot, keyValue, syscalls].map((program) => isolated(program)),
  ...systems.filter(({ isIsolated }) => isIsolated).map(plainly),
];
const schemes = ["shadow-lazy", "ept"] as const;
const engines = ["native", ...schemes] as const;
const costName = "skylake-sp";
/** What an assumed price is multiplied by. */
const factors = [0.5, 2] as const;
/** Slowdowns closer than this are a draw. */
const drawPercent = 0.5;
/** Prices that the figure shows: those that move a mean most. */
const panelsMax = 8;

function plainly({ workload, params }: (typeof systems)[number]) {
  return { workload, params };
}

type Winner = "shadow-lazy" | "ept" | "draw";

interface Outcome {
  /** Geometric means of the slowdowns over native. */
  readonly shadow: number;
  readonly ept: number;
  readonly winners: readonly Winner[];
}

type Runs = readonly { readonly name: string; readonly rows: readonly PointRow[] }[];

function outcomeOf(runs: Runs, cost: CostModel): Outcome {
  const slowdowns = runs.map(({ rows }) => {
    const [native = 0, shadow = 0, ept = 0] = rows.map(({ counters, computeCyclesPerOp }) =>
      totalCycles(price(counters, computeCyclesPerOp, cost)),
    );
    return { shadow: shadow / native, ept: ept / native };
  });
  const mean = (of: (one: (typeof slowdowns)[number]) => number) =>
    geometricMean(slowdowns.slice(0, shown.length).map(of));
  return {
    shadow: mean(({ shadow }) => shadow),
    ept: mean(({ ept }) => ept),
    winners: slowdowns.map(({ shadow, ept }) => {
      const lead = 100 * (shadow / ept - 1);
      if (Math.abs(lead) < drawPercent) return "draw";
      return lead > 0 ? "ept" : "shadow-lazy";
    }),
  };
}

/** Programs whose winner is another; a draw that gets a winner, or the reverse, is none. */
function flips(outcome: Outcome, usual: Outcome): number[] {
  return outcome.winners.flatMap((winner, index) => {
    const before = usual.winners[index];
    return winner !== "draw" && before !== "draw" && winner !== before ? [index] : [];
  });
}

function changes(assumed: readonly ListedPrice[], runs: Runs, cost: CostModel) {
  return assumed.map(({ name }) => {
    const [halved, doubled] = factors.map((factor) =>
      outcomeOf(runs, scaled(cost, new Map([[name, factor]]))),
    );
    if (halved === undefined || doubled === undefined) throw new Error("bug: two factors");
    return { name, halved, doubled };
  });
}

type Change = ReturnType<typeof changes>[number];

function gap({ shadow, ept }: Outcome): number {
  return Math.log(shadow / ept);
}

/** Every assumed price at the end that is worst for one scheme. */
function corner(all: readonly Change[], runs: Runs, cost: CostModel, worstFor: "shadow" | "ept") {
  const sign = worstFor === "shadow" ? 1 : -1;
  const map = new Map(
    all.map(({ name, halved, doubled }) => [
      name,
      sign * gap(doubled) >= sign * gap(halved) ? factors[1] : factors[0],
    ]),
  );
  return outcomeOf(runs, scaled(cost, map));
}

function range(all: readonly Change[], of: (outcome: Outcome) => number) {
  const values = all.flatMap(({ halved, doubled }) => [of(halved), of(doubled)]);
  return say`${Math.min(...values)} to ${Math.max(...values)}`;
}

export const sensitivity: Experiment = {
  title: "How much rests on prices that are assumed?",
  points: engines.flatMap((engine) =>
    [...shown, ...beside].map((program) => ({ ...program, engine })),
  ),

  read({ row }) {
    const cost = readCost(costName);
    const list = priceList(costName);
    const assumed = list.filter(({ isAssumed }) => isAssumed);
    const runs: Runs = [...shown, ...beside].map((program) => ({
      name: programName(program),
      rows: engines.map((engine) => row({ ...program, engine })),
    }));
    const usual = outcomeOf(runs, cost);
    const all = changes(assumed, runs, cost);
    const flipped = new Set(
      all.flatMap(({ halved, doubled }) => [...flips(halved, usual), ...flips(doubled, usual)]),
    );
    const [against, inFavour] = [corner(all, runs, cost, "shadow"), corner(all, runs, cost, "ept")];
    const inCorners = new Set([...flips(against, usual), ...flips(inFavour, usual)]);
    const namesOf = (indices: ReadonlySet<number>) =>
      indices.size === 0 ? "none" : [...indices].map((index) => runs[index]?.name).join(", ");
    const reach = ({ halved, doubled }: Change) => Math.abs(gap(doubled) - gap(halved));
    const strongest = all.toSorted((a, b) => reach(b) - reach(a)).slice(0, panelsMax);
    return {
      claim: say`Most prices are assumed, and who wins hardly depends on them; how far it wins does.`,
      number: say`Of ${costName}'s ${list.length} prices ${assumed.length} are assumed. Each halved and doubled alone: lazy shadow's mean slowdown over ${shown.length} programs of ${usual.shadow} goes ${range(all, ({ shadow }) => shadow)}, EPT's of ${usual.ept} goes ${range(all, ({ ept }) => ept)}, and of ${runs.length} programs ${flipped.size} change their winner (${namesOf(flipped)}). All at once, each at the end that is worst for shadow paging: ${against.shadow} and ${against.ept}; worst for EPT: ${inFavour.shadow} and ${inFavour.ept}; then ${inCorners.size} change it (${namesOf(inCorners)}). Strongest: ${joined(
        strongest
          .slice(0, 4)
          .map(({ name, halved, doubled }) => say`${name} ${halved.shadow} to ${doubled.shadow}`),
        ", ",
      )}.`,
      evidence: say`sensitivity.csv, chart sensitivity`,
      change: say`A measured price for what stands first in the chart: see it in the cost file, or take your own machine's with shadewalk cost --from-perf.`,
      checks: [
        {
          direction: "no single assumed price changes more than one winner in ten",
          holds: flipped.size * 10 <= runs.length,
        },
        {
          direction: "EPT's mean stays below shadow's in both corners",
          holds: against.ept < against.shadow && inFavour.ept < inFavour.shadow,
        },
      ],
      tables: [{ name: "sensitivity", rows: tableOf(all, usual) }],
      figures: [{ kind: "bars", name: "sensitivity", data: chart(strongest, usual) }],
    };
  },
};

function tableOf(all: readonly Change[], usual: Outcome) {
  return all.map(({ name, halved, doubled }) => ({
    price: name,
    shadowHalved: six(halved.shadow),
    shadowDoubled: six(doubled.shadow),
    eptHalved: six(halved.ept),
    eptDoubled: six(doubled.ept),
    winnersHalved: flips(halved, usual).length,
    winnersDoubled: flips(doubled, usual).length,
  }));
}

function chart(strongest: readonly Change[], usual: Outcome) {
  return {
    title: "Assumed prices halved and doubled: mean slowdown of lazy shadow paging",
    remarks: ["Those that move it most; EPT takes few exits, so they hardly move its mean"],
    axisTitle: "geometric mean of the slowdowns over native",
    legendTitle: "scheme",
    parts: [{ name: "lazy shadow", colour: "#0072b2" }],
    panels: strongest.map(({ name, halved, doubled }) => ({
      name,
      bars: [
        { name: "halved", values: [halved.shadow] },
        { name: "as it is", values: [usual.shadow] },
        { name: "doubled", values: [doubled.shadow] },
      ],
    })),
  };
}
