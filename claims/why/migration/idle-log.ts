/**
 * What a dirty log costs when nobody dirties anything.
 */
import { joined, say } from "../../../bench/results/answer.ts";
import { six } from "../../../bench/results/figures.ts";
import type { MigrationExperiment } from "./experiment.ts";
import { endless, reader } from "./programs.ts";

const engines = ["ept-wp", "ept-ad", "ept-pml", "ept-ring"] as const;
const pointOf = (engine: string) => ({ ...reader, engine, migration: endless });

export const idleLog: MigrationExperiment = {
  title: "What does logging cost when nobody dirties?",
  points: engines.map(pointOf),

  read({ of }) {
    const table = engines.map((engine) => {
      const { outcome, exits } = of(pointOf(engine));
      return {
        engine,
        slowdown: six(outcome.trackerSlowdown),
        exits: exits.exitsEptViolation + exits.exitsPmlFull,
        threadCycles: outcome.trackerCycles,
        pagesDirtied: outcome.pagesDirtied,
        resent: outcome.pagesResent,
      };
    });
    const worst = Math.max(...table.map(({ slowdown }) => slowdown));
    const exits = Math.max(...table.map((line) => line.exits));
    const threads = table.map(({ threadCycles }) => threadCycles);
    const [most, least] = [Math.max(...threads), Math.min(...threads)];
    const lines = table.map((line) => say`${line.engine} ${line.threadCycles}`);
    return {
      claim: say`A guest that only reads hardly feels any log, and its migration is over after one pass. What is paid is the host's thread: switching the log on takes a look at every page that is mapped, once.`,
      number: say`Guests run at most ${worst} times as long and take at most ${exits} exits for the log. Cycles of the host's thread for the whole of it: ${joined(lines, ", ")}.`,
      evidence: say`idle-log.csv; migration.csv`,
      change: say`A guest that reads large pages pays for their split (see huge pages). Its kernel writes a few pages even so: stacks and, by the walker, A bits in its tables.`,
      checks: [
        { direction: "no log slows the reader by 5% or more", holds: worst < 1.05 },
        { direction: "no log takes more than ten exits", holds: exits <= 10 },
        {
          direction: "all logs cost the thread much the same, within a factor of 1.5",
          holds: most < least * 1.5,
        },
      ],
      tables: [{ name: "idle-log", rows: table }],
      figures: [],
    };
  },
};
