/**
 * Bit flips in table frames, as disturbance in DRAM (Rowhammer) makes them: no store is executed, so no right is asked and
 * nobody exits. What the guest then reaches depends on who reads the table.
 *
 * A flip in a table of the guest's own leads to what its hypervisor lets it have: nested tables translate the frame number
 * again, and a shadow keeps what it had until it reads the entry anew. A flip in a table of the hypervisor's is asked by
 * nobody. Each flip is one life of a guest that goes round all its pages twice: with the tables as they are, and after all
 * translations were made anew.
 *
 * Model: one bit a time, any bit as likely as another of its group, in entries in use and an empty one beside them. A host
 * of 516 MiB: bits of a frame number beyond lead nowhere, and would lead to more in a larger one. Of nested entries neither
 * reserved bits nor memory types are looked at, where Intel's processors would exit. Bias: escapes are too few, stops too.
 *
 * Source: Kim et al., ISCA 2014; Seaborn and Dullien, "Exploiting the DRAM rowhammer bug to gain kernel privileges", 2015;
 * Loughlin et al., "Siloz", SOSP 2023, which guards EPT against flips.
 */
import { bitKinds, bitsOfEntry } from "../../machine/formats/bit-kind.ts";
import { Prng } from "../../guest/prng.ts";
import { guardedEpt } from "../../engines/ept-guarded.ts";
import { eptHlat } from "../../engines/ept-hlat.ts";
import { engines } from "../../engines/index.ts";
import { type Effect, effects, type Flip, FlipBench, worse } from "../flips/flip-one.ts";
import { type FlipScheme, lockRules } from "../flips/flipped-guest.ts";
import type { TableEntry } from "../flips/table-bits.ts";
import type { Channel, ChannelRow, ChannelSettings, Grouping } from "./channel.ts";

const guarded = guardedEpt("EPT, all tables guarded", {
  scope: "all",
  cr3Exits: true,
  cr3Targets: 4,
});

export const flipSchemes = {
  native: { engine: engines.native },
  shadow: { engine: engines.shadow, rules: lockRules },
  "shadow-vtlb": { engine: engines["shadow-vtlb"] },
  "kvm-6.12": { engine: engines["kvm-6.12"], rules: lockRules },
  ept: { engine: engines.ept },
  "ept, guarded": { engine: guarded, rules: lockRules },
  "ept, HLAT": { engine: eptHlat({ upperHalfOnly: false }), rules: lockRules },
  npt: { engine: engines.npt },
} as const satisfies Record<string, FlipScheme>;

const writers = ["guest", "hypervisor"] as const;

/** What a bit is counted under, for each way to group them, in the order of the rows. */
interface Grouped {
  readonly names: readonly string[];
  nameOf(entry: TableEntry, bit: number, bench: FlipBench): string;
}

const groupings: Readonly<Record<Grouping, Grouped>> = {
  tables: { names: ["all"], nameOf: () => "all" },
  levels: {
    names: ["level 1", "level 2", "level 3", "level 4"],
    nameOf: ({ level }) => `level ${level}`,
  },
  bits: {
    names: bitKinds,
    nameOf: (entry, bit, bench) => bench.kindOf({ entry, bit }),
  },
};

/** What the flips of one group did. */
export interface FlipCounts {
  readonly flips: number;
  /** The worst of both rounds. */
  readonly by: Readonly<Record<Effect, number>>;
  /** Flips that changed anything in the first round, and in the second. */
  readonly atOnce: number;
  readonly after: number;
}

export function countFlips(bench: FlipBench, flips: readonly Flip[]): FlipCounts {
  const outcomes = flips.map((flip) => bench.flip(flip));
  const counted = (is: (outcome: (typeof outcomes)[number]) => boolean) =>
    outcomes.filter((outcome) => is(outcome)).length;
  const by = Object.fromEntries(
    effects.map((effect) => [effect, counted((one) => worse(one.atOnce, one.after) === effect)]),
  ) as Record<Effect, number>;
  const atOnce = counted((one) => one.atOnce !== "none");
  return { flips: flips.length, by, atOnce, after: counted((one) => one.after !== "none") };
}

/** So many of the flips, all if there are no more, each at most once. */
function draw(flips: readonly Flip[], count: number, prng: Prng): Flip[] {
  const left = [...flips];
  return Array.from({ length: Math.min(count, left.length) }, () =>
    left.splice(prng.below(left.length), 1),
  ).flat();
}

function rowsOf(scheme: keyof typeof flipSchemes, settings: ChannelSettings): ChannelRow[] {
  const bench = new FlipBench(flipSchemes[scheme], settings.check);
  const grouped: Grouped = groupings[settings.by];
  const prng = new Prng(settings.seed);
  const bits = [...Array(bitsOfEntry).keys()];
  return writers.flatMap((writer) => {
    const entries = bench.entries.filter((entry) => entry.writer === writer);
    const all = entries.flatMap((entry) => bits.map((bit): Flip => ({ entry, bit })));
    return grouped.names.flatMap((name): ChannelRow[] => {
      const group = all.filter(({ entry, bit }) => grouped.nameOf(entry, bit, bench) === name);
      if (group.length === 0) return [];
      const counts = countFlips(bench, draw(group, settings.bits, prng));
      const percent = (flips: number) => Math.round((100 * flips) / counts.flips);
      const { none, faults, own, tables, lock, stops, escapes } = counts.by;
      return [
        {
          tables: `${scheme}: ${writer}'s`,
          part: name,
          flips: counts.flips,
          none: percent(none),
          faults: percent(faults),
          own: percent(own),
          tablesReached: percent(tables),
          lock: percent(lock),
          stops: percent(stops),
          escapes: percent(escapes),
          atOnce: percent(counts.atOnce),
          after: percent(counts.after),
        },
      ];
    });
  });
}

export const bitFlips: Channel = {
  title:
    "Bit flips in table frames: what a guest reaches when one bit of a table changes (Rowhammer)",
  uses: ["seed", "bits", "check", "by"],
  summary: [
    "--bits of the guest's tables, and as many of its hypervisor's, each in a life of its own. Percent of the flips by the",
    "worst that came of it: nothing; an access faults; own: the guest reaches another frame of its own, or more of one than",
    "it may; a program reaches its guest's tables; a lock is broken (shadow, kvm-6.12, guarded and HLAT have one); the host",
    "stops, at an exit that nobody expects, one for ever, or where no memory is; the guest is in a frame not its own. Last:",
    "those that changed anything at once, and after all translations were made anew. In parts: --by levels, --by bits.",
  ],
  columns: {
    tables: "whose tables",
    part: "part",
    flips: "flips",
    none: "nothing",
    faults: "faults",
    own: "own",
    tablesReached: "tables",
    lock: "lock",
    stops: "stops",
    escapes: "escapes",
    atOnce: "at once",
    after: "after",
  },
  run(settings) {
    const names = Object.keys(flipSchemes) as (keyof typeof flipSchemes)[];
    return names.flatMap((scheme) => rowsOf(scheme, settings));
  },
};
