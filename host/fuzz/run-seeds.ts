/**
 * A long run: many seeds on worker threads. A seed that fails stops, the others go on.
 */
import { Piscina } from "piscina";
import { Prng } from "../../guest/prng.ts";
import { codeUrl } from "../../bench/code-url.ts";
import { errorLine } from "../../bench/input/config-error.ts";
import type { FuzzProgress } from "../../check/fuzz/hunt.ts";
import type { SeedOptions, SeedReport } from "./seed-run.ts";
import type { SeedProgress } from "./seed-worker.ts";

export interface SeedsOptions extends Omit<SeedOptions, "seed"> {
  readonly seeds: readonly number[];
  readonly workers: number;
  /** What was done since the last call, over all threads. */
  readonly onProgress: (more: FuzzProgress) => void;
  readonly onSeed: (report: SeedReport) => void;
  /** The thread itself failed: one line. */
  readonly onDied: (seed: number, message: string) => void;
}

/** Seeds fit an int32, which the generator mixes. */
const seedMax = 2 ** 31 - 1;

/** As many different seeds as asked for. */
export function drawSeeds(from: number, count: number): number[] {
  const prng = new Prng(from);
  const seeds = new Set<number>();
  while (seeds.size < count) seeds.add(prng.below(seedMax));
  return [...seeds];
}

const seedWorker = new URL("./seed-worker.ts", import.meta.url);

/** Resolves when every seed has been run. */
export async function runSeeds(options: SeedsOptions): Promise<void> {
  const { seeds, workers, ops, engines, presets, onProgress, onSeed, onDied } = options;
  const threads = Math.min(workers, seeds.length);
  const pool = new Piscina<SeedOptions, SeedReport>({
    filename: codeUrl(seedWorker).href,
    minThreads: threads,
    maxThreads: threads,
  });
  const seen = new Map<number, FuzzProgress>();
  pool.on("message", (now: SeedProgress) => {
    const before = seen.get(now.seed) ?? { programs: 0, ops: 0, checked: 0 };
    seen.set(now.seed, now);
    onProgress({
      programs: now.programs - before.programs,
      ops: now.ops - before.ops,
      checked: now.checked - before.checked,
    });
  });
  const queue = seeds.values();
  const work = async () => {
    for (const seed of queue) {
      try {
        onSeed(await pool.run({ seed, ops, engines, presets }, { name: "runTask" }));
      } catch (error) {
        onDied(seed, errorLine(error));
      }
    }
  };
  try {
    await Promise.all(Array.from({ length: threads }, work));
  } finally {
    await pool.destroy();
  }
}
