/**
 * Does a measurement mean anything? The same work in process after process, engines beside engines, two threads.
 *
 * Every ratio is of runs that were interleaved, so that a machine which slows down does so for both.
 */
import { presets } from "../../machine/presets.ts";
import { EnvironmentError } from "../input/config-error.ts";
import { timedAsync } from "../host-time.ts";
import { runPoints } from "../sweeps/pool.ts";
import type { PointKey } from "../results/result.ts";
import { median } from "./median.ts";
import { runAlone } from "./own-process.ts";

/** The schemes that share a process. */
export const steadyEngines = ["native", "shadow", "shadow-lazy", "ept", "ept-pml"] as const;

/** A point that spends its time in the translation unit: zipf over 64 MiB. */
export function steadyPoint(engine: string, id: number): PointKey {
  const params = { pages: 16_384, accesses: 4_000_000, writePercent: 30 };
  const place = { preset: "skylake-sp", backing: "4k", guestLevels: 4, nestedLevels: 4 } as const;
  return { id, engine, workload: "zipf", params: { ...params, pageSize: "4k" }, ...place, seed: 1 };
}

export interface Steadiness {
  /** For each engine: processor milliseconds in a process of its own, run by run. */
  readonly alone: Readonly<Record<string, readonly number[]>>;
  /** For each engine: its time among all in one process over its time alone, median of the runs. */
  readonly together: Readonly<Record<string, number>>;
  /** Wall time on one thread over that on two, median of the pairs. */
  readonly twoThreads: number;
}

export interface SteadinessOptions {
  /** Processes in a row. */
  readonly processes: number;
  /** Pairs of one thread and two. */
  readonly pairs: number;
  readonly onStep: (step: string) => void;
}

export async function measureSteadiness(options: SteadinessOptions): Promise<Steadiness> {
  const { processes, pairs, onStep } = options;
  const alone = new Map(steadyEngines.map((engine) => [engine as string, [] as number[]]));
  const ratios = new Map(steadyEngines.map((engine) => [engine as string, [] as number[]]));
  for (let run = 1; run <= processes; run++) {
    onStep(`process ${run} of ${processes}, engine by engine`);
    for (const [engine, times] of alone) times.push(child([engine])[engine] ?? Number.NaN);
    onStep(`process ${run} of ${processes}, all engines in one`);
    const among = child(steadyEngines);
    for (const [engine, list] of ratios) {
      list.push((among[engine] ?? Number.NaN) / (alone.get(engine)?.at(-1) ?? Number.NaN));
    }
  }
  const speedups: number[] = [];
  for (let pair = 1; pair <= pairs; pair++) {
    onStep(`pair ${pair} of ${pairs}: one thread, then two`);
    const one = await sweepMilliseconds(1);
    speedups.push(one / (await sweepMilliseconds(2)));
  }
  return {
    alone: Object.fromEntries(alone),
    together: Object.fromEntries([...ratios].map(([engine, list]) => [engine, median(list)])),
    twoThreads: median(speedups),
  };
}

/** The largest value over the median of all: 1 when every run takes the same time. */
export function spread(values: readonly number[]): number {
  return Math.max(...values) / median(values);
}

/** Processor milliseconds of each engine's point in a fresh process that runs them in this order. */
function child(engines: readonly string[]): Readonly<Record<string, number>> {
  const file = new URL("./steady-child.ts", import.meta.url);
  return runAlone(file, engines) as Readonly<Record<string, number>>;
}

/** Eight equal points on so many threads. */
async function sweepMilliseconds(workers: number): Promise<number> {
  const points = Array.from({ length: 8 }, (_, id) => steadyPoint("ept", id));
  const { hostMilliseconds } = await timedAsync(() =>
    runPoints(points, {
      machines: { "skylake-sp": { preset: presets["skylake-sp"], like: "skylake-sp" } },
      workers,
      check: false,
      signal: new AbortController().signal,
      onFinished: () => undefined,
      onFailed(message) {
        throw new EnvironmentError(`speed: ${message}`);
      },
    }),
  );
  return hostMilliseconds;
}
