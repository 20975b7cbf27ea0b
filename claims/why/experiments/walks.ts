/**
 * How long a walk is: in references by the book and with walk caches, and in cycles where its lines go through the same
 * data caches as the program's own.
 */
import { assert } from "../../../machine/assert.ts";
import { say } from "../../../bench/results/answer.ts";
import { referencesPerWalk, six, walkCycles } from "../../../bench/results/figures.ts";
import type { PointRow } from "../../../bench/results/result.ts";
import type { Experiment } from "../experiment.ts";
import { rowNames } from "../findings.ts";
import type { WhyPoint } from "../plan.ts";

/** 256 MiB at random: tables of both dimensions outgrow walk caches and the second-level data cache. */
const program = { workload: "uniform", params: { pages: 65_536, accesses: 200_000 } } as const;
/** Without a TLB any size will do. */
const short = { workload: "uniform", params: { pages: 8192, accesses: 40_000 } } as const;
const largePages = { ...short, params: { ...short.params, pageSize: "2m" } } as const;
const engines = ["native", "shadow-lazy", "ept"] as const;

interface Line {
  readonly name: string;
  readonly program: Omit<WhyPoint, "engine">;
}

const textbook = { preset: "textbook" } as const;
const caches = { preset: "skylake-sp-caches" } as const;

const lines: readonly Line[] = [
  { name: "by the book", program: { ...short, ...textbook, backing: "4k" } },
  {
    name: "by the book, 5 levels",
    program: { ...short, ...textbook, backing: "4k", levels: "5-on-5" },
  },
  { name: "by the book, 2 MiB on 2 MiB", program: { ...largePages, ...textbook, backing: "2m" } },
  { name: "with caches, 4 KiB on 4 KiB", program: { ...program, ...caches, backing: "4k" } },
  { name: "with caches, 4 KiB on 2 MiB", program: { ...program, ...caches, backing: "2m" } },
];

function cyclesPerWalk(row: PointRow): number {
  return walkCycles(row) / row.counters.walks;
}

/** Share of the references that L1 or L2 answered, in percent. */
function near({ counters }: PointRow): number {
  const { referenceL1Hits, referenceL2Hits, walkReferencesGuest, walkReferencesNested } = counters;
  return (100 * (referenceL1Hits + referenceL2Hits)) / (walkReferencesGuest + walkReferencesNested);
}

export const walks: Experiment = {
  title: "How long is a walk, in references and in cycles?",
  points: lines.flatMap(({ program: of }) => engines.map((engine) => ({ ...of, engine }))),

  read({ row }) {
    const table = lines.map(({ name, program: of }) => {
      const [native, shadow, ept] = engines.map((engine) => row({ ...of, engine }));
      assert(native !== undefined && shadow !== undefined && ept !== undefined, "why: no engine");
      return { name, native, shadow, ept };
    });
    const [book, book5, book2m, cached, cached2m] = table;
    assert(
      book !== undefined &&
        book5 !== undefined &&
        book2m !== undefined &&
        cached !== undefined &&
        cached2m !== undefined,
      "why: a line is missing",
    );
    const references = ({ shadow, ept }: typeof book) =>
      say`${referencesPerWalk(shadow)} and ${referencesPerWalk(ept)}`;
    const longer = ({ shadow, ept }: typeof book) =>
      referencesPerWalk(ept) / referencesPerWalk(shadow);
    const slower = ({ shadow, ept }: typeof book) => cyclesPerWalk(ept) / cyclesPerWalk(shadow);
    return {
      claim: say`A nested walk is ${longer(book)} times as long by the book, and ${slower(cached)} times as slow: walk caches skip the upper levels of both dimensions, and what is left lies in near data caches. With 2 MiB host pages it is ${slower(cached2m)} times as slow.`,
      number: say`References per walk, shadow and EPT: ${references(book)} without caches, ${references(book5)} at five levels, ${references(book2m)} with 2 MiB pages; with walk caches ${references(cached)} over 256 MiB at random, ${references(cached2m)} on 2 MiB host pages. Of these ${near(cached.shadow)}% and ${near(cached.ept)}% hit L1 or L2 beside the program's own lines; a walk takes ${cyclesPerWalk(cached.shadow)} and ${cyclesPerWalk(cached.ept)} cycles, on 2 MiB host pages ${cyclesPerWalk(cached2m.ept)}.`,
      evidence: say`${rowNames(table.flatMap(({ native, shadow, ept }) => [native, shadow, ept]))}; walk-length.csv, chart walk-length`,
      change: say`Larger programs push more table lines out: over 4 GiB a walk takes about 120 and 310 cycles here. Published for 80 GB and more: 51 and 227 (AS19-006, AS19-008), simulated with every last nested walk from its root.`,
      checks: [
        {
          direction: "by the book 24 against 4",
          holds: referencesPerWalk(book.ept) === 24 && referencesPerWalk(book.shadow) === 4,
        },
        {
          direction: "caches take away most of both",
          holds: referencesPerWalk(cached.ept) < referencesPerWalk(book.ept) / 4,
        },
        {
          direction: "2 MiB pages shorten the walk",
          holds: referencesPerWalk(book2m.ept) < referencesPerWalk(book.ept),
        },
        {
          direction: "the latency ratio is below the book's, and an EPT walk the slower",
          holds: slower(cached) < longer(book) && slower(cached) > 1,
        },
      ],
      tables: [{ name: "walk-length", rows: table.flatMap(rowsOf) }],
      figures: [{ kind: "bars", name: "walk-length", data: chart(table) }],
    };
  },
};

interface Of {
  readonly name: string;
  readonly native: PointRow;
  readonly shadow: PointRow;
  readonly ept: PointRow;
}

function rowsOf({ name, ...rows }: Of) {
  return Object.values(rows).map((row) => ({
    case: name,
    engine: row.key.engine,
    referencesPerWalk: six(referencesPerWalk(row)),
    cyclesPerWalk: six(cyclesPerWalk(row)),
    nearPercent: six(near(row)),
  }));
}

function chart(table: readonly Of[]) {
  return {
    title: "References per walk, by dimension",
    remarks: ["Uniform random access; skylake-sp-caches where there are caches"],
    axisTitle: "memory references per walk",
    legendTitle: "dimension",
    parts: [
      { name: "guest (or shadow) tables", colour: "#0072b2" },
      { name: "nested tables", colour: "#56b4e9" },
    ],
    panels: table.map(({ name, native, shadow, ept }) => ({
      name,
      bars: [native, shadow, ept].map(({ key, counters }) => ({
        name: key.engine,
        values: [
          counters.walkReferencesGuest / counters.walks,
          counters.walkReferencesNested / counters.walks,
        ],
      })),
    })),
  };
}
