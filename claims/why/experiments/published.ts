/**
 * How well the simulator does where somebody has measured: the score of the published claims.
 */
import { say } from "../../../bench/results/answer.ts";
import { percent } from "../../../bench/results/figures.ts";
import { publishedScore } from "../../published/score.ts";
import type { Experiment } from "../experiment.ts";

/** Below it a reader should not take these numbers for anything. */
const worthPercent = 66;

export const published: Experiment = {
  title: "What do published measurements say of these numbers?",
  points: [],

  read() {
    const { measured, counted, exact } = publishedScore();
    const share = percent(measured.met, measured.compared);
    return {
      claim: say`Rules and counts agree with what was published; of what was measured in time ${share}% lies within a quarter.`,
      number: say`Reference counts ${exact.met} of ${exact.compared}, exit counts and rules ${counted.met} of ${counted.compared}, measurements of machines and others' simulators ${measured.met} of ${measured.compared}. Missed: what shadow adds to fork, exec, sh and faults (too little here, so process creation favours shadow), big-memory codes under shadow (published slower than EPT, unexplained), the first steps of Barcelona's walk caches.`,
      evidence: say`results/published/README.md: every claim with its rows, every miss with what was tested`,
      change: say`Prices of a processor whose paths were measured one by one; a model of the MMU lock; programs of their size.`,
      checks: [
        {
          direction: "most measurements are met",
          holds: share > worthPercent,
        },
        {
          direction: "every exact count is",
          holds: exact.met === exact.compared,
        },
      ],
      tables: [],
      figures: [],
    };
  },
};
