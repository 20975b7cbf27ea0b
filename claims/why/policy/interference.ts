/**
 * What a guest learns of its neighbour through what the host does for both.
 */
import { joined, say } from "../../../bench/results/answer.ts";
import { six } from "../../../bench/results/figures.ts";
import { cyclesOf } from "../../../policies/channels/cycles.ts";
import { type Sharing, sharings, twin } from "../../../policies/channels/interference.ts";
import { twinEngines } from "../../../policies/channels/twin-guests.ts";
import type { Experiment } from "../experiment.ts";

/** What the host does that takes nothing from one guest for the other. */
const apart: readonly Sharing[] = [
  "none",
  "merge, hidden",
  "swap, own share",
  "balloon, own share",
];

export const interferenceClaim: Experiment = {
  title: "What does a guest learn of its neighbour?",
  points: [],

  read() {
    const rows = (Object.keys(sharings) as Sharing[]).flatMap((sharing) =>
      Object.entries(twinEngines).map(([scheme, engine]) => {
        const { counts, differing } = twin(engine, sharing, false);
        const [cycles0, cycles1] = [cyclesOf(counts[0]), cyclesOf(counts[1])];
        const [exits0, exits1] = [counts[0].exits, counts[1].exits];
        return { sharing, scheme, exits0, exits1, cycles0, cycles1, differing };
      }),
    );
    const isApart = ({ sharing }: (typeof rows)[number]) => apart.includes(sharing);
    const leaking = rows.filter((row) => !isApart(row));
    const underEpt = leaking.filter(({ scheme }) => scheme === "ept");
    const each = underEpt.map(({ sharing, cycles0, cycles1 }) => {
      const [less, more] = cycles0 < cycles1 ? [cycles0, cycles1] : [cycles1, cycles0];
      return say`${sharing} x${six(more / less)}`;
    });
    return {
      claim: say`No scheme keeps a guest from learning of its neighbour what the host makes depend on it: merging, a pool of memory for both and a balloon that grows as the other needs each show in its own exits and its own clock. With merging hidden and shares fixed beforehand not one counter depends on the neighbour, under any scheme.`,
      number: say`Guest A's cycles by B's secret, under EPT: ${joined(each, ", ")}. Of ${rows.filter(isApart).length} twin runs with memory apart or merging hidden ${rows.filter((row) => isApart(row) && row.differing.length > 0).length} differ in a counter, of ${leaking.length} with it shared ${leaking.filter(({ differing }) => differing.length > 0).length}.`,
      evidence: say`interference.csv; shadewalk leak interference`,
      change: say`Guests on one core share its caches and predictors too, which these do not.`,
      checks: [
        {
          direction: "with memory apart no counter depends on the neighbour",
          holds: rows.filter(isApart).every(({ differing }) => differing.length === 0),
        },
        {
          direction: "merging, one pool and a shared balloon each show in exits and cycles",
          holds: leaking.every((row) => row.exits0 !== row.exits1 && row.cycles0 !== row.cycles1),
        },
      ],
      tables: [
        {
          name: "interference",
          rows: rows.map(({ differing, ...row }) => {
            return { ...row, differing: differing.join(" ") };
          }),
        },
      ],
      figures: [],
    };
  },
};
