/**
 * How agile paging, and switching the whole guest, stand against nested and shadow paging on the eight programs of its
 * figure 5, at 4K and at 2M pages; and what walks cost there under each, which is the lower part of its bars.
 *
 * Programs are measured in steady state: three times the usual length less two times, so that what happens once, such as
 * the shadowing of a space that has come to rest, is in both. Their runs last minutes, ours fractions of a second.
 *
 * A pair of bars that may be as long, by how sure the figure was read, is no ranking.
 */
import { geometricMean } from "../../../bench/results/figures.ts";
import type { EngineName } from "../../../engines/index.ts";
import type { Engine } from "../../../hypervisor/engine.ts";
import { type PageSize, type Stand, stands } from "../../stands.ts";
import { type Claim, idOf } from "../claim.ts";
import { readPublishedFacts } from "../published-rows.ts";
import { ranksNothing } from "../reading-error.ts";
import type { Outcome, Stage } from "../stage.ts";
import { runStand } from "./agile-winner.ts";

const facts = readPublishedFacts();
const times = 3;
const sizes = ["4k", "2m"] as const;

function steady(
  stage: Stage,
  stand: Stand,
  {
    engine,
    size,
    of,
  }: { engine: EngineName | Engine; size: PageSize; of: (outcome: Outcome) => number },
): number {
  const until = (length: number) => of(runStand(stage, stand, { engine, size, times: length }));
  return until(times) - until(times - 1);
}

/** In steady state. */
export function cycles(
  stage: Stage,
  stand: Stand,
  engine: EngineName | Engine,
  size: PageSize,
): number {
  return steady(stage, stand, { engine, size, of: ({ total }) => total });
}

/** Those of walks, in steady state. */
export function walkCycles(
  stage: Stage,
  stand: Stand,
  engine: EngineName | Engine,
  size: PageSize,
): number {
  const of = (outcome: Outcome) => outcome.cycles.walkGuest + outcome.cycles.walkNested;
  return steady(stage, stand, { engine, size, of });
}

export function better(stage: Stage, stand: Stand, size: PageSize): number {
  const sides = ["ept", "shadow-lazy"] as const;
  return Math.min(...sides.map((engine) => cycles(stage, stand, engine, size)));
}

/** First rows of figure 5's bars: all of the overhead, and its walks. */
const bars = {
  "4k": { nested: 55, shadow: 63, agile: 71 },
  "2m": { nested: 87, shadow: 95, agile: 103 },
} as const;
const walkBars = {
  "4k": { nested: 111, shadow: 119, agile: 127 },
  "2m": { nested: 135, shadow: 143, agile: 151 },
} as const;
const engineOf = { nested: "ept", shadow: "shadow-lazy", agile: "agile" } as const;

const finds =
  "tested: 1.0002 where it never tries whether shadowing would pay by now, 0.9999 where blocks are replaced a tenth as often: ours does nothing but change its tables, and so nothing is won by shadowing";
const smallServer =
  "tested: 0.98 on 4 GiB with an eighth of the switches and slabs, as shadowing pays there; ours, smaller and busier, is left nested, and pays for the roots that silicon is told anew at each interval, 1.5 ms of it where theirs is a second: without a client 1.0000";

/** Programs that agile paging leaves nested, by page size: their ratio to nested is 1 and a little. */
const leftNested = { "4k": ["dedup"], "2m": ["memcached"] } as const;

const rankings = sizes.flatMap((size) =>
  (["nested", "shadow"] as const).flatMap((rival) =>
    stands.flatMap((stand, place): Claim[] => {
      const bar = (series: keyof (typeof bars)["4k"]) => idOf("AG16", bars[size][series] + place);
      const row = (series: keyof (typeof bars)["4k"]) => `(100 + ${bar(series)})`;
      const published = `${row("agile")} / ${row(rival)}`;
      if (ranksNothing(published, facts)) return [];
      const isLeft = rival === "nested" && leftNested[size].some((name) => name === stand.name);
      const claim: Claim = {
        name: `${stand.name} ${size}, agile / ${rival}`,
        class: "c",
        published,
        compare: { kind: "same side" },
        unit: "x of run time",
        how: `${stand.ours}, nehalem, steady state: cycles under agile / ${engineOf[rival]}; not above 1`,
        simulate: (stage) =>
          cycles(stage, stand, "agile", size) / cycles(stage, stand, engineOf[rival], size),
        ...(isLeft ? { missedBecause: size === "4k" ? finds : smallServer } : {}),
      };
      return [claim];
    }),
  ),
);

const looks =
  "tested: 0.997 where it never tries to shadow, as tables that were watched have host pages of 4K from then on; ours does nothing but change its tables, which theirs, shadowed for 91 % of its misses, does not";
const oftenFlushed =
  "tested: 0.49 without the client's switches and the slabs, and 0.70 with an eighth of them on 4 GiB; each makes the shadow flush all translations, which EPT never does";

/** By program, page size and series. */
const walkMisses: Readonly<Record<string, string>> = {
  "dedup 4k agile": looks,
  "memcached 2m shadow": oftenFlushed,
};

const walkParts = sizes.flatMap((size) =>
  (["agile", "shadow"] as const).flatMap((series) =>
    stands.flatMap((stand, place): Claim[] => {
      const row = (which: keyof (typeof walkBars)["4k"]) =>
        idOf("AG16", walkBars[size][which] + place);
      const published = `${row(series)} / ${row("nested")}`;
      if (ranksNothing(published, facts)) return [];
      const missedBecause = walkMisses[`${stand.name} ${size} ${series}`];
      const claim: Claim = {
        name: `${stand.name} ${size}, walks of ${series} / of nested`,
        class: "c",
        published,
        compare: { kind: "same side" },
        unit: "x of the walks' time",
        how: `${stand.ours}, nehalem, steady state: cycles of walks under ${engineOf[series]} / ept`,
        simulate: (stage) =>
          walkCycles(stage, stand, engineOf[series], size) / walkCycles(stage, stand, "ept", size),
        ...(missedBecause === undefined ? {} : { missedBecause }),
      };
      return [claim];
    }),
  ),
);

/** Of agile paging over what `rival` takes, in percent: geometric mean over some of the eight. */
export function gain(
  stage: Stage,
  size: PageSize,
  rival: (stand: Stand) => number,
  some: readonly Stand[] = stands,
): number {
  const ratios = some.map((stand) => rival(stand) / cycles(stage, stand, "agile", size));
  return 100 * (geometricMean(ratios) - 1);
}

/** Of agile paging over native, in percent: mean over some of the eight at 4k. */
export function slowdown(stage: Stage, some: readonly Stand[] = stands): number {
  const slower = some.map(
    (stand) => cycles(stage, stand, "agile", "4k") / cycles(stage, stand, "native", "4k") - 1,
  );
  return (100 * slower.reduce((sum, one) => sum + one, 0)) / slower.length;
}

/** Stands on which `engine` takes at most so many times the cycles of the better side. */
function asGood(stage: Stage, engine: EngineName, size: PageSize, most: number): number {
  return stands.filter(
    (stand) => cycles(stage, stand, engine, size) <= most * better(stage, stand, size),
  ).length;
}

const noStores =
  "tested: five of ours store to no table once they run, so shadow paging alone is as good there; where each replaces a block of 128 KiB every 50,000 accesses, agile gains SHARE over the better on these five";

const means: readonly Claim[] = [
  {
    name: "agile, mean slowdown over native",
    class: "c",
    published: "AG16-161[1]",
    compare: { kind: "measured" },
    unit: "%",
    how: "the eight programs at 4k, nehalem, steady state: mean of cycles under agile / native, less 1",
    simulate: (stage) => slowdown(stage),
    missedBecause:
      "tested: the five that store to no table once they run are at native's own time, where theirs are 2 to 3 % above it; where each replaces a block of 128 KiB every 5,000 accesses they are 1.5 % above it",
  },
  ...(["ept", "shadow-lazy"] as const).map((engine, place): Claim => ({
    name: `agile, gain over ${engine === "ept" ? "nested" : "shadow"} everywhere`,
    class: "c",
    published: `AG16-163[${place + 1}]`,
    compare: { kind: "at least" },
    unit: "%",
    how: `the eight programs at 4k, nehalem, steady state: geometric mean of cycles under ${engine} / agile, less 1`,
    simulate: (stage) => gain(stage, "4k", (stand) => cycles(stage, stand, engine, "4k")),
  })),
  ...sizes.map((size, place): Claim => ({
    name: `agile, gain over the better of both${size === "4k" ? "" : " at 2m"}`,
    class: "c",
    published: `AG16-164[${2 * place + 1}]`,
    compare: { kind: "measured" },
    unit: "%",
    how: `the eight programs at ${size}, nehalem, steady state: geometric mean of cycles under the better / agile, less 1`,
    simulate: (stage) => gain(stage, size, (stand) => better(stage, stand, size)),
    missedBecause: noStores.replace("SHARE", size === "4k" ? "15.6 %" : "18.7 %"),
  })),
];

const hybrids = [
  { engine: "agile", name: "agile", row: "AG16-164", most: 1.01 },
  { engine: "shsp", name: "switching", row: "SH11-003", most: 1.05 },
] as const;

const counts = sizes.flatMap((size) =>
  hybrids.map(({ engine, name, row, most }): Claim => ({
    name: `${name} as good as the better ${size}, of eight`,
    class: "c",
    published: "8",
    rows: [row],
    compare: { kind: "equal" },
    unit: "workloads",
    how: `the eight programs at ${size}, nehalem, steady state: under ${engine} at most ${most} times the cycles of the better side`,
    simulate: (stage) => asGood(stage, engine, size, most),
  })),
);

export const agileRankings: readonly Claim[] = [...rankings, ...walkParts, ...means, ...counts];
