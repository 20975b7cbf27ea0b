/**
 * What huge pages cost while a guest is migrated: logging wants 4 KiB leaves.
 */
import { say } from "../../../bench/results/answer.ts";
import { six } from "../../../bench/results/figures.ts";
import type { MigrationExperiment } from "./experiment.ts";
import { endless, lookups } from "./programs.ts";

const engines = ["ept-pml", "ept-pml-lazy", "ept-wp"] as const;
const backings = ["4k", "2m"] as const;

function pointOf(engine: string, backing: (typeof backings)[number]) {
  const { params, ...program } = lookups;
  return {
    ...program,
    params: { ...params, pageSize: backing },
    engine,
    backing,
    // Slow enough that the first pass outlasts the program: the guest is logged to its end under every engine.
    migration: { ...endless, bandwidth: 4e9 },
  };
}

export const largePages: MigrationExperiment = {
  title: "What do huge pages cost during a migration?",
  points: engines.flatMap((engine) => backings.map((backing) => pointOf(engine, backing))),

  read({ of }) {
    const table = engines.map((engine) => {
      const [small, large] = backings.map((backing) => of(pointOf(engine, backing)));
      if (small === undefined || large === undefined) throw new Error("bug: why: a backing less");
      return {
        engine,
        slowdownSmall: six(small.outcome.trackerSlowdown),
        slowdownLarge: six(large.outcome.trackerSlowdown),
        nativeSlowdownSmall: six(small.outcome.nativeSlowdown),
        nativeSlowdownLarge: six(large.outcome.nativeSlowdown),
        exitsSmall: small.exits.exitsEptViolation,
        exitsLarge: large.exits.exitsEptViolation,
        verdicts: `${small.outcome.verdict} ${large.outcome.verdict}`,
        gainBefore: six(small.outcome.unmigratedCycles / large.outcome.unmigratedCycles),
        gainDuring: six(small.outcome.guestCycles / large.outcome.guestCycles),
      };
    });
    const [log, lazy, protect] = table;
    if (log === undefined || lazy === undefined || protect === undefined) {
      throw new Error("bug: why: an engine less");
    }
    return {
      claim: say`Logging splits 2 MiB leaves, and for as long as it lasts the guest pays for translation as if it had none on the host's side: the migration of a guest on large pages costs it more than that of one on small pages.`,
      number: say`Under PML a guest on 2 MiB pages runs ${log.slowdownLarge} times as long while it is logged, one on 4 KiB pages ${log.slowdownSmall} times; large pages had made it ${log.gainBefore} times as fast before and make it ${log.gainDuring} times as fast meanwhile. Splitting only what is written takes ${lazy.exitsLarge} exits instead of ${log.exitsLarge} (${lazy.slowdownLarge} times as long); write protection takes ${protect.exitsLarge} (${protect.slowdownLarge} times).`,
      evidence: say`large-pages.csv; migration.csv`,
      change: say`A guest whose reads fall on pages that nobody writes keeps them under a lazy split. Guest pages stay large throughout: a TLB entry is as small as the smaller of both.`,
      checks: [
        {
          direction: "every guest is logged to the end of its program",
          holds: table.every(({ verdicts }) => verdicts === "forced forced"),
        },
        {
          direction: "a guest on large pages loses more while PML logs it",
          holds: log.slowdownLarge > log.slowdownSmall,
        },
        {
          direction: "large pages gain less during a migration",
          holds: log.gainDuring < log.gainBefore,
        },
        {
          direction: "a lazy split takes more exits than splitting first",
          holds: lazy.exitsLarge > log.exitsLarge,
        },
      ],
      tables: [{ name: "large-pages", rows: table }],
      figures: [],
    };
  },
};
