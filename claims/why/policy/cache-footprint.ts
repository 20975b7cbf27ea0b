/**
 * What page colouring hides of a guest from its neighbour, and its price.
 */
import { say } from "../../../bench/results/answer.ts";
import { assert } from "../../../machine/assert.ts";
import { cacheFootprint } from "../../../policies/channels/cache-footprint.ts";
import type { Experiment } from "../experiment.ts";

const bits = 16;

export const cacheFootprintClaim: Experiment = {
  title: "What does page colouring hide, and at what price?",
  points: [],

  read() {
    const rows = cacheFootprint.run({ seed: 1, bits, check: false, by: "tables" });
    const of = (placement: string, scheme: string) => {
      const row = rows.find((one) => one["placement"] === placement && one["scheme"] === scheme);
      assert(row !== undefined, () => `policy: no row of ${placement}, ${scheme}`);
      return {
        isAllSeen: row["seen"] === `${bits} of ${bits}`,
        isHidden: row["seen"] === `0 of ${bits}`,
        frames: Number(row["frames"]),
        misses: Number(row["misses"]),
        walked: Number(row["walked"]),
        cycles: Number(row["cycles"]),
      };
    };
    const schemes = ["shadow", "ept"] as const;
    const [any, large] = [of("any frames", "ept"), of("any, 2 MiB each", "ept")];
    const coloured = of("frames and tables", "ept");
    return {
      claim: say`Colours keep two guests out of each other's sets of the last-level cache only if the hypervisor's own tables have them too: with the guests' frames coloured and the tables anywhere, a guest's walks give it away. Then it sees nothing, for half of the frames, half of the cache, and all large pages.`,
      number: say`${bits} of ${bits} bits are seen with frames anywhere and with frames coloured alone, 0 with tables as well. A guest that goes round three quarters of the cache misses ${any.misses} lines of 100 before and ${coloured.misses} after, ${any.cycles} and ${coloured.cycles} cycles a read under EPT; it may have ${coloured.frames} frames in place of ${any.frames}; large host pages, which no colour has, saved EPT ${any.walked - large.walked} references a read.`,
      evidence: say`cache-footprint.csv; shadewalk leak cache-footprint`,
      change: say`A cache with ways to give to each guest (Intel CAT) needs no colours; a cache that does not keep the latest degrades less sharply when it is halved; one whose hash nobody knows cannot be coloured.`,
      checks: [
        {
          direction: "without colours every bit is seen",
          holds: schemes.every((scheme) => of("any frames", scheme).isAllSeen),
        },
        {
          direction: "tables that lie anywhere give coloured guests away",
          holds: schemes.every((scheme) => of("frames coloured", scheme).isAllSeen),
        },
        {
          direction: "with tables coloured nothing is seen",
          holds: schemes.every((scheme) => of("frames and tables", scheme).isHidden),
        },
        {
          direction: "the price is misses and frames",
          holds: coloured.misses > any.misses && coloured.frames < any.frames,
        },
      ],
      tables: [{ name: "cache-footprint", rows }],
      figures: [],
    };
  },
};
