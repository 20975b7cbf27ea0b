/**
 * Whether merging can be had without telling a guest what its neighbour holds.
 */
import { joined, say } from "../../../bench/results/answer.ts";
import { six } from "../../../bench/results/figures.ts";
import { cyclesOf } from "../../../policies/channels/cycles.ts";
import {
  bitsLearned,
  drawHeld,
  type Merging,
  mergings,
  probeMerged,
} from "../../../policies/channels/merge-probe.ts";
import { twinEngines } from "../../../policies/channels/twin-guests.ts";
import type { Experiment } from "../experiment.ts";

const settings = { seed: 1, bits: 64, check: false };

export const mergeProbeClaim: Experiment = {
  title: "Can pages be merged without telling who holds what?",
  points: [],

  read() {
    const secret = drawHeld(settings);
    const held = secret.filter((isHeld) => isHeld).length;
    const others = 2 * settings.bits - held;
    const rows = (Object.keys(mergings) as Merging[]).flatMap((merging) =>
      Object.entries(twinEngines).map(([scheme, engine]) => {
        const unmerging = mergings[merging];
        const { alone, merged } = probeMerged(engine, unmerging, {
          secret,
          use: "store",
          check: false,
        });
        return {
          merging,
          scheme,
          byLoads: bitsLearned(engine, unmerging, { use: "load", settings }),
          byStores: bitsLearned(engine, unmerging, { use: "store", settings }),
          exitsAlone: alone.exits / others,
          exitsMerged: merged.exits / held,
          cyclesAlone: six(cyclesOf(alone) / others),
          cyclesMerged: six(cyclesOf(merged) / held),
        };
      }),
    );
    const shown = rows.filter(({ merging }) => merging === "merge");
    const hidden = rows.filter(({ merging }) => merging === "merge, hidden");
    const prices = shown.map(
      ({ scheme, cyclesAlone, cyclesMerged }) => say`${scheme} ${cyclesAlone} / ${cyclesMerged}`,
    );
    const after = hidden.map(({ scheme, cyclesAlone }) => say`${scheme} ${cyclesAlone}`);
    return {
      claim: say`Merged pages tell: the first store to one exits and copies, whatever the scheme, and no other store does, so a guest reads off its own clock whether a neighbour holds what it guesses. Taking every right from all pages that stood still, and copying each at its next use, hides it under every scheme, for one exit and one copy of each such page that is used again.`,
      number: say`Of ${settings.bits} guesses ${Math.min(...shown.map(({ byStores }) => byStores))} are told by stores, at cycles alone / merged of ${joined(prices, ", ")}; hidden ${Math.max(...hidden.map(({ byStores, byLoads }) => byStores + byLoads))} are, by loads or stores, and either kind of page costs ${joined(after, ", ")}.`,
      evidence: say`merge-probe.csv; shadewalk leak merge-probe; what it costs whole programs: shadewalk share merge,merge-hidden`,
      change: say`A scanner that leaves pages in use alone, as VUsion's does, copies fewer; flushes and reloads of a line in a merged frame need a data cache that guests share.`,
      checks: [
        {
          direction: "a store tells every guess under every scheme",
          holds: shown.every(({ byStores }) => byStores === settings.bits),
        },
        {
          direction: "hidden merging tells nothing",
          holds: hidden.every(({ byLoads, byStores }) => byLoads + byStores === 0),
        },
        {
          direction: "its price is one exit for each page used again, merged or not",
          holds: hidden.every((one) => one.exitsAlone === 1 && one.exitsMerged === 1),
        },
      ],
      tables: [{ name: "merge-probe", rows }],
      figures: [],
    };
  },
};
