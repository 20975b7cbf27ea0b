/**
 * A topic made ready to run, whatever its evidence is: points of a sweep, or migrations.
 */
import { costOf, type PointCost } from "../../bench/sweeps/remaining-work.ts";
import type { PointKey, ResultRows } from "../../bench/results/result.ts";
import type { MigrationTopic } from "./migration/experiment.ts";
import { migrationPlanOf, runMigrationTopic } from "./migration/run-migration-topic.ts";
import { type NamedFinding, planOf, runWhy } from "./run-why.ts";
import type { Topic } from "./topic.ts";

export interface AnswerOptions {
  /** Folder for the evidence. */
  readonly out: string;
  readonly workers: number;
  readonly signal: AbortSignal;
  /** One point is done. */
  readonly onFinished: (key: PointKey, cost: PointCost) => void;
}

export interface Answer {
  readonly findings: readonly NamedFinding[];
  /** Rows that charts may be made of. */
  readonly rows: ResultRows;
  /** Tables written to the folder. */
  readonly files: readonly string[];
}

export interface PreparedTopic {
  readonly points: readonly PointKey[];
  run(options: AnswerOptions): Promise<Answer>;
}

/** The names that `--only` takes. */
export function experimentNames(topic: Topic | MigrationTopic): readonly string[] {
  return Object.keys("experiments" in topic ? topic.experiments : topic.migrations);
}

export function prepareTopic(
  topic: Topic | MigrationTopic,
  names: readonly string[],
): PreparedTopic {
  return "experiments" in topic
    ? preparePoints(chosenOf(topic.experiments, names))
    : prepareMigrations(chosenOf(topic.migrations, names));
}

function preparePoints(experiments: Topic["experiments"]): PreparedTopic {
  return {
    points: planOf(experiments).points,
    async run({ onFinished, ...options }) {
      const why = await runWhy({
        ...options,
        experiments,
        onFinished: ({ result, host }) => onFinished(result.key, costOf(result, host)),
      });
      return { ...why, files: ["points.csv", "walks.csv", "manifest.json"] };
    },
  };
}

function prepareMigrations(experiments: MigrationTopic["migrations"]): PreparedTopic {
  return {
    points: migrationPlanOf(experiments).points,
    async run({ onFinished, ...options }) {
      const why = await runMigrationTopic({
        ...options,
        experiments,
        onFinished: ({ key, accesses }) => onFinished(key, { accesses, milliseconds: null }),
      });
      return { ...why, rows: { points: [], walks: [] } };
    },
  };
}

function chosenOf<E>(
  all: Readonly<Record<string, E>>,
  names: readonly string[],
): Readonly<Record<string, E>> {
  return Object.fromEntries(Object.entries(all).filter(([name]) => names.includes(name)));
}
