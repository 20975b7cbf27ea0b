/**
 * Runs a sweep's points: journal open, largest first, results sorted by id.
 */
import { createHash } from "node:crypto";
import { lockFolder } from "../files/folder-lock.ts";
import { type Journal, openJournal } from "./journal.ts";
import { type Finished, type PoolOptions, runPoints } from "./pool.ts";
import { startingOrder } from "./starting-order.ts";
import { type PointKey, schemaVersion } from "../results/result.ts";

export interface SweepRunOptions extends PoolOptions {
  readonly points: readonly PointKey[];
  /** Output folder. */
  readonly out: string;
  /** Continue from the journal that an interrupted run left in `out`. */
  readonly resume: boolean;
  /** Name of the part that this run computes, where several runs share a folder. */
  readonly part?: string | undefined;
  /** Called with a line when the run has to wait before it can begin. */
  readonly onWait?: ((line: string) => void) | undefined;
}

/** What makes a sweep that sweep and no other. */
export type SweepIdentity = Pick<SweepRunOptions, "points" | "machines" | "check">;

export interface SweepRun {
  /** Sorted by id. */
  readonly finished: readonly Finished[];
  /** One line per failed point, sorted by id. */
  readonly failures: readonly string[];
  /** To be called when the results are on disk: then the journal has done its work. */
  close(): void;
}

/**
 * Throws an `EnvironmentError` if another process has the folder or the disk refuses, a `ConfigError` if the
 * journal is damaged; what is in the journal stays.
 */
export async function runSweep(options: SweepRunOptions): Promise<SweepRun> {
  const { points, out, resume, part, onWait } = options;
  const prefix = part === undefined ? undefined : `${part}.`;
  const lock = await lockFolder({ folder: out, part: prefix, onWatch: onWait });
  try {
    const journal = openJournal({
      folder: out,
      name: part === undefined ? undefined : `.${part}.journal`,
      points,
      sweep: sweepHash(options),
      resume,
      goOn: part === undefined ? "go on with --resume" : "run the same command again",
    });
    const guarded: Journal = {
      ...journal,
      append(one) {
        lock.assertHeld();
        journal.append(one);
      },
    };
    const run = await runRest(options, guarded);
    lock.assertHeld();
    return {
      ...run,
      close() {
        journal.close(run.finished.length === points.length ? "remove" : "keep");
        lock.release();
      },
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}

async function runRest(options: SweepRunOptions, journal: Journal) {
  const { points } = options;
  const finished: Finished[] = [];
  const failures: { readonly id: number; readonly message: string }[] = [];
  const keep = (one: Finished) => {
    finished.push(one);
    options.onFinished(one);
  };
  for (const one of journal.earlier) keep(one);
  const known = new Set(finished.map(({ result }) => result.key.id));

  await runPoints(startingOrder(points.filter(({ id }) => !known.has(id))), {
    ...options,
    onFinished(one) {
      journal.append(one);
      keep(one);
    },
    onFailed(message, key) {
      failures.push({ id: key.id, message });
      options.onFailed(message, key);
    },
  });
  return {
    finished: finished.toSorted((a, b) => a.result.key.id - b.result.key.id),
    failures: failures.toSorted((a, b) => a.id - b.id).map(({ message }) => message),
  };
}

/** Names what is run: the same points on other machines, or under another schema, are others. */
export function sweepHash({ points, machines, check }: SweepIdentity): string {
  const presets = [...new Set(points.map(({ preset }) => preset))].map((name) => machines[name]);
  const text = JSON.stringify({ schemaVersion, check, points, presets });
  return createHash("sha256").update(text).digest("hex");
}
