/**
 * A topic made ready to run, whatever its evidence is: points of a sweep, migrations, or device programs.
 */
import { costOf, type PointCost } from "../../bench/sweeps/remaining-work.ts";
import type { PointKey, ResultRows } from "../../bench/results/result.ts";
import type { DmaTopic } from "./devices/experiment.ts";
import { runDevicesTopic } from "./devices/run-devices-topic.ts";
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

type AnyTopic = Topic | MigrationTopic | DmaTopic;

/** The names that `--only` takes. */
export function experimentNames(topic: AnyTopic): readonly string[] {
  if ("experiments" in topic) return Object.keys(topic.experiments);
  return Object.keys("migrations" in topic ? topic.migrations : topic.devices);
}

export function prepareTopic(topic: AnyTopic, names: readonly string[]): PreparedTopic {
  if ("experiments" in topic) return preparePoints(chosenOf(topic.experiments, names));
  return "migrations" in topic
    ? prepareMigrations(chosenOf(topic.migrations, names))
    : prepareDevices(chosenOf(topic.devices, names));
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

/** Device programs take seconds: no threads, no progress. */
function prepareDevices(experiments: DmaTopic["devices"]): PreparedTopic {
  return {
    points: [],
    async run({ out }) {
      return { ...(await runDevicesTopic(experiments, out)), rows: { points: [], walks: [] } };
    },
  };
}

function chosenOf<E>(
  all: Readonly<Record<string, E>>,
  names: readonly string[],
): Readonly<Record<string, E>> {
  return Object.fromEntries(Object.entries(all).filter(([name]) => names.includes(name)));
}
