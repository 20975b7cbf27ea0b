/**
 * What shadowing IO tables costs against nested hardware and against pinning everything.
 */
import { say } from "../../../bench/results/answer.ts";
import { percent, six } from "../../../bench/results/figures.ts";
import type { DmaExperiment } from "./experiment.ts";
import { perMap } from "./experiment.ts";

const schemes = ["pinned", "shadow-cm", "nested"] as const;
const pointOf = (scheme: (typeof schemes)[number]) => ({ scheme, program: "nic-ring" }) as const;

export const shadowOrNested: DmaExperiment = {
  title: "What does shadowing IO tables cost against nested hardware and against pinning?",
  points: schemes.map(pointOf),

  read({ of }) {
    const table = schemes.map((scheme) => {
      const row = of(pointOf(scheme));
      return {
        scheme,
        exitsPerMap: perMap(row.exits, row),
        hostCallsPerMap: perMap(row.hostCalls, row),
        referencesPerRequest: six(row.references / row.requests),
        pinnedPercent: six(percent(row.pinnedPeak, row.guestPages)),
      };
    });
    const [pinned, shadow, nested] = schemes.map((scheme) => of(pointOf(scheme)));
    const [, shadowLine, nestedLine] = table;
    if (!pinned || !shadow || !nested || !shadowLine || !nestedLine) throw new Error("bug: why");
    return {
      claim: say`A shadow pays at both ends of a mapping, nested hardware only at its end: first-level entries that appear need no invalidation. Pinning pays nothing, and protects the guest from none of its devices. The shadow's walks are short and only what is mapped is pinned; the other two pin all memory.`,
      number: say`Exits per mapping: ${shadowLine.exitsPerMap} shadow, ${nestedLine.exitsPerMap} nested. References per request: ${shadowLine.referencesPerRequest} and ${nestedLine.referencesPerRequest}. Pinned: ${shadowLine.pinnedPercent} percent of memory under the shadow.`,
      evidence: say`devices-shadow-or-nested.csv; devices.csv`,
      change: say`A driver that maps once and keeps it (see large pages) makes exits vanish for all, and leaves the walks.`,
      checks: [
        { direction: "the shadow exits more than nested", holds: shadow.exits > nested.exits },
        { direction: "pinned never exits", holds: pinned.exits === 0 },
        {
          direction: "nested reads more entries for the same requests than the shadow",
          holds: nested.references > shadow.references,
        },
        {
          direction: "the shadow pins less than a tenth of memory, nested all",
          holds:
            shadow.pinnedPeak < nested.pinnedPeak / 10 && nested.pinnedPeak === nested.guestPages,
        },
      ],
      tables: [{ name: "devices-shadow-or-nested", rows: table }],
      figures: [],
    };
  },
};
