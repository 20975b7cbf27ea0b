/**
 * What the gap between two schemes is made of: exact Shapley values over mechanisms.
 */
import { assert } from "../../../machine/assert.ts";
import { joined, say } from "../../../bench/results/answer.ts";
import type { Finding, WaterfallPanel } from "../../../bench/results/answer.ts";
import type { Experiment } from "../experiment.ts";
import { six } from "../../../bench/results/figures.ts";
import type { Findings } from "../findings.ts";
import { attributeGap, type Gap, gapPoints } from "../gap-game.ts";
import { players } from "../players.ts";
import { isolated, programName, programs } from "../programs.ts";
import type { Attribution } from "../shapley.ts";

const schemes = ["shadow-lazy", "ept"] as const;
const { exitPrice, controlExits, software, dimension, walkLimits, smallPages } = players;
const causes = [exitPrice, controlExits, software, dimension, walkLimits, smallPages];
const { vpid, pcid, walkCaches, nestedTlb, lazySync, prefetch, pml } = players;
const mechanisms = [vpid, pcid, walkCaches, nestedTlb, lazySync, prefetch];
const hotWrite = {
  workload: "hot-write",
  params: { pages: 2048, accesses: 5000, logRounds: 4 },
} as const;

const ofCauses: readonly Gap[] = [
  programs.zipf,
  isolated(programs.keyValue),
  programs.cowSnapshot,
].map((program) => ({ schemes, program, players: causes, start: "all idealized" }));
const ofMechanisms: readonly Gap[] = [programs.compile, isolated(programs.keyValue)].map(
  (program) => ({
    schemes,
    program,
    players: mechanisms,
    start: "none of them",
  }),
);
const ofLogging: Gap = {
  schemes: ["shadow-wp", "ept-pml"],
  program: hotWrite,
  players: [pml, exitPrice, software, dimension, walkLimits, smallPages],
  start: "all idealized, no PML",
};
const gaps: readonly Gap[] = [...ofCauses, ...ofMechanisms, ofLogging];

/** What a workload's compute cycles per op are multiplied by: they are assumed. */
const computeFactors = [0.3, 1, 3] as const;

interface Solved {
  readonly gap: Gap;
  readonly attribution: Attribution;
  /** Native's cycles at each compute factor. */
  readonly native: readonly number[];
}

function solve(gap: Gap, findings: Findings): Solved {
  const { cyclesTotal, cycles } = findings.native({ ...gap.program, engine: "native" });
  return {
    gap,
    attribution: attributeGap(gap, findings),
    native: computeFactors.map((factor) => cyclesTotal + (factor - 1) * cycles.guestCompute),
  };
}

function panelsOf({ gap, attribution, native }: Solved): WaterfallPanel[] {
  return computeFactors.map((factor, index) => {
    const share = (cycles: number) => (100 * cycles) / (native[index] ?? Number.NaN);
    return {
      row: programName(gap.program),
      column: `compute x ${factor}`,
      start: { name: gap.start, value: share(attribution.none) },
      parts: attribution.parts.map(({ player, value }) => ({ name: player, value: share(value) })),
      whole: { name: "gap", value: share(attribution.all) },
    };
  });
}

/** Parts from the largest down, in percent of native's cycles. */
function partsText({ attribution, native }: Solved) {
  const sorted = attribution.parts.toSorted((a, b) => Math.abs(b.value) - Math.abs(a.value));
  const share = (cycles: number) => (100 * cycles) / (native[1] ?? Number.NaN);
  return joined(
    sorted.slice(0, 4).map(({ player, value }) => say`${player} ${share(value)}`),
    ", ",
  );
}

function tablesOf(solved: readonly Solved[]): Finding["tables"] {
  return [
    {
      name: "shapley",
      rows: solved.flatMap(({ gap, attribution, native }) =>
        [
          { player: `(${gap.start})`, value: attribution.none },
          ...attribution.parts,
          { player: "(gap)", value: attribution.all },
        ].map(({ player, value }) => ({
          schemes: gap.schemes.join(" - "),
          program: programName(gap.program),
          player,
          without: gap.players.find(({ name }) => name === player)?.without ?? "",
          cycles: six(value),
          ...Object.fromEntries(
            computeFactors.map((factor, index) => [
              `percentOfNativeCompute${factor}`,
              six((100 * value) / (native[index] ?? Number.NaN)),
            ]),
          ),
        })),
      ),
    },
    {
      name: "interactions",
      rows: solved.flatMap(({ gap, attribution }) =>
        attribution.interactions.map(({ players: [a, b], value }) => ({
          schemes: gap.schemes.join(" - "),
          program: programName(gap.program),
          first: a,
          second: b,
          cycles: six(value),
        })),
      ),
    },
  ];
}

function waterfall(name: string, title: string, solved: readonly Solved[], remark: string) {
  const [first] = solved;
  const pair = first?.gap.schemes.join(" minus ") ?? "";
  return {
    kind: "waterfall",
    name,
    data: {
      title,
      remarks: [`${pair}, exact Shapley values; they sum to the gap`, remark],
      axisTitle: "cycles, in percent of native's",
      panels: solved.flatMap(panelsOf),
    },
  } as const;
}

export const ablation: Experiment = {
  title: "What is the gap made of?",
  points: [
    ...gaps.flatMap(gapPoints),
    ...gaps.map(({ program }) => ({ ...program, engine: "native" })),
  ],

  read(findings) {
    const [zipf, keyValue, cow] = ofCauses.map((gap) => solve(gap, findings));
    const [compile, keyValueToday] = ofMechanisms.map((gap) => solve(gap, findings));
    assert(
      zipf !== undefined &&
        keyValue !== undefined &&
        cow !== undefined &&
        compile !== undefined &&
        keyValueToday !== undefined,
      "why: no gap",
    );
    const logging = solve(ofLogging, findings);
    const solved = [zipf, keyValue, cow, compile, keyValueToday, logging];
    const [strongest] = keyValue.attribution.interactions;
    const part = ({ attribution }: Solved, { name }: { readonly name: string }) =>
      attribution.parts.find(({ player }) => player === name)?.value ?? Number.NaN;
    const share = ({ native }: Solved, cycles: number) => (100 * cycles) / (native[1] ?? 1);
    const [low = 0, usual = 0, high = 0] = keyValue.native.map(
      (native) => (100 * keyValue.attribution.all) / native,
    );
    return {
      claim: say`Switched off alone and in all combinations, the mechanisms divide the gap: exits, most of them for CR3, and the software behind them make shadow lose; the second walk dimension makes EPT lose.`,
      number: say`Gap (lazy shadow minus EPT) in percent of native's cycles, by Shapley value. Key-value KPTI ${usual}: ${partsText(keyValue)}. Fork snapshot ${share(cow, cow.attribution.all)}: ${partsText(cow)}. Zipf ${share(zipf, zipf.attribution.all)}: ${partsText(zipf)}. Strongest interaction (key-value KPTI): ${strongest?.players.join(" and ") ?? ""} ${share(keyValue, strongest?.value ?? 0)}. From bare hardware to today's, compile's gap went from ${share(compile, compile.attribution.none)} to ${share(compile, compile.attribution.all)}: ${partsText(compile)}.`,
      evidence: say`shapley.csv, interactions.csv; charts gap-causes, gap-mechanisms, gap-logging`,
      change: say`Compute per operation is assumed: at 0.3, 1 and 3 times of it key-value's gap is ${low}, ${usual}, ${high}% of native. Parts in cycles do not depend on it.`,
      checks: [
        {
          direction: "exits for CR3 and flushes widen the gap of key-value",
          holds: part(keyValue, controlExits) > 0,
        },
        { direction: "the second dimension never does", holds: part(keyValue, dimension) <= 0 },
        { direction: "zipf's gap is the second dimension's", holds: part(zipf, dimension) < 0 },
        {
          direction: "parts sum to the gap",
          holds: solved.every(({ attribution: { none, all, parts } }) => {
            const sum = parts.reduce((total, { value }) => total + value, none);
            return Math.abs(sum - all) <= 1e-6 * Math.max(1, Math.abs(all));
          }),
        },
      ],
      tables: tablesOf(solved),
      figures: [
        waterfall(
          "gap-causes",
          "What the gap between shadow paging and EPT is made of",
          [zipf, keyValue, cow],
          "Each cause is real or idealized away, alone and in all combinations",
        ),
        waterfall(
          "gap-mechanisms",
          "How hardware and hypervisor moved the gap",
          [compile, keyValueToday],
          "From none of these mechanisms to all of them",
        ),
        waterfall(
          "gap-logging",
          "Dirty logging: what the gap is made of",
          [logging],
          "PML against write protection, over a hot-write set",
        ),
      ],
    };
  },
};
