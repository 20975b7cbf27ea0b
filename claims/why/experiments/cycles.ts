/**
 * Where the cycles go under each scheme: guest work, walks in each dimension, exits, hypervisor software.
 */
import type { PointRow } from "../../../bench/results/result.ts";
import { joined, say } from "../../../bench/results/answer.ts";
import { type CycleGroup, cyclesIn } from "../cycle-groups.ts";
import type { Experiment } from "../experiment.ts";
import { percent } from "../../../bench/results/figures.ts";
import { rowNames } from "../findings.ts";
import { isolated, programName, programs } from "../programs.ts";

const engines = ["native", "shadow", "shadow-lazy", "ept"] as const;
/** Programs that look things up, and programs that change their tables. */
const lookups = [programs.gups, programs.zipf, programs.btree];
const updates = [
  programs.keyValue,
  programs.compile,
  programs.forkwait,
  isolated(programs.syscalls),
];
const shown = [...lookups, ...updates];

/** A row and its native twin. */
type Pair = readonly [own: PointRow, native: PointRow];

/** Of the cycles that a scheme adds to native, the percentage in a group. */
function addedPercent(pairs: readonly Pair[], group: CycleGroup): number {
  const added = (cyclesOf: (row: PointRow) => number) =>
    pairs.reduce((sum, [own, native]) => sum + cyclesOf(own) - cyclesOf(native), 0);
  return percent(
    added((row) => cyclesIn(row, group)),
    added(({ cyclesTotal }) => cyclesTotal),
  );
}

export const cycles: Experiment = {
  title: "Where do the cycles go?",
  points: shown.flatMap((program) => engines.map((engine) => ({ ...program, engine }))),

  read({ row, native }) {
    const pairsOf = (engine: string, set: typeof shown): Pair[] =>
      set.map((program) => {
        const point = { ...program, engine };
        return [row(point), native(point)];
      });
    const ofShadow = pairsOf("shadow-lazy", updates);
    const exits = addedPercent(ofShadow, "exits");
    const software = addedPercent(ofShadow, "software");
    const walks = addedPercent(pairsOf("ept", lookups), "walks");
    const rows = engines.flatMap((engine) => shown.map((program) => row({ ...program, engine })));
    const slowdowns = shown.map((program) => {
      const of = (engine: string) => row({ ...program, engine }).slowdown ?? Number.NaN;
      return say`${programName(program)} ${of("shadow-lazy")}/${of("ept")}`;
    });
    return {
      claim: say`Shadow paging pays per change of a page table, in exits and the software behind them; EPT pays per TLB miss, in a longer walk.`,
      number: say`Of what lazy shadow adds to native on ${updates.length} programs that change tables, ${exits}% are exits and ${software}% hypervisor software. Of what EPT adds on ${lookups.length} that only look up, ${walks}% are walks. Slowdowns, lazy shadow/EPT: ${joined(slowdowns, ", ")}.`,
      evidence: say`${rowNames(rows)}; chart cycles`,
      change: say`More compute per operation shrinks the slowdowns, not the cycles; prices are lines of the cost file.`,
      checks: [
        { direction: "exits and software are most of shadow's cost", holds: exits + software > 80 },
        { direction: "walks are most of EPT's cost on lookups", holds: walks > 80 },
      ],
      tables: [],
      figures: [{ kind: "cycles", name: "cycles", ids: rows.map(({ key }) => key.id) }],
    };
  },
};
