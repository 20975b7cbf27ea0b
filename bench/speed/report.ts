/**
 * The whole speed run: every stream's time and equality, its ratio to C when C is at hand, every storm.
 */
import { ownMmu } from "../../machine/fast.ts";
import { buildYardstick, runYardstick } from "./c-program.ts";
import { differing, measureStream } from "./measure.ts";
import { median } from "./median.ts";
import { runAlone } from "./own-process.ts";
import { type Storm, storms, type StormTime } from "./storms.ts";
import {
  argumentsOf,
  expectedCounters,
  type YardstickCounters,
  type YardstickStream,
  yardstickStreams,
} from "./yardstick.ts";

export interface StreamReport {
  readonly stream: YardstickStream;
  readonly nanosecondsPerAccess: number;
  readonly counters: YardstickCounters;
  /** Counters that differ from the C program's; empty when all are equal. */
  readonly unequal: readonly string[];
  /** Host time over the C program's: median of the pairs; null without the C program. */
  readonly ratio: number | null;
  /** The fastest run's time over the C program's fastest: of what neighbours do to a machine, the least is in it. */
  readonly ratioOfFastest: number | null;
}

export interface SpeedReport {
  readonly streams: readonly StreamReport[];
  readonly storms: readonly (StormTime & { readonly storm: Storm })[];
}

export interface SpeedOptions {
  /** Folder of the C program, or null. */
  readonly yardstick: string | null;
  /** Interleaved runs of each stream; the median counts. */
  readonly pairs: number;
  readonly onStep: (step: string) => void;
}

export async function measureSpeed({
  yardstick,
  pairs,
  onStep,
}: SpeedOptions): Promise<SpeedReport> {
  if (yardstick !== null) buildYardstick(yardstick);
  const streams: StreamReport[] = [];
  for (const stream of yardstickStreams) {
    onStep(argumentsOf(stream).join(" "));
    streams.push(await measurePairs(stream, yardstick, pairs));
  }
  return { streams, storms: measureStorms(pairs, onStep) };
}

const stormChild = new URL("./storm-child.ts", import.meta.url);

/**
 * Every storm `rounds` times, each time in a process of its own, one storm after the other, so that a slow spell of
 * the machine meets all of them; the fastest run counts.
 */
function measureStorms(rounds: number, onStep: SpeedOptions["onStep"]): SpeedReport["storms"] {
  const times = storms.map((): StormTime[] => []);
  for (let round = 0; round < rounds; round++) {
    for (const [i, storm] of storms.entries()) {
      onStep(`${storm.title}, ${storm.engine}`);
      times[i]!.push(runAlone(stormChild, [String(i)]) as StormTime);
    }
  }
  return storms.map((storm, i) => ({
    storm,
    events: times[i]![0]!.events,
    exits: times[i]![0]!.exits,
    nanosecondsPerEvent: Math.min(...times[i]!.map((time) => time.nanosecondsPerEvent)),
  }));
}

async function measurePairs(
  stream: YardstickStream,
  yardstick: string | null,
  pairs: number,
): Promise<StreamReport> {
  const times: number[] = [];
  const timesOfC: number[] = [];
  const unequal = new Set<string>();
  let counters: YardstickCounters = {};
  for (let pair = 0; pair < pairs; pair++) {
    const ours = await measureStream(stream, ownMmu);
    const c = yardstick === null ? null : runYardstick(yardstick, stream);
    times.push(ours.nanosecondsPerAccess);
    if (c !== null) timesOfC.push(c.nanosecondsPerAccess);
    counters = ours.counters;
    for (const expected of [c?.counters, expectedCounters(stream)]) {
      if (expected === undefined) continue;
      for (const name of differing(ours.counters, expected)) unequal.add(name);
    }
  }
  // The C program also prints how many frames it gave bytes, which is not a count of the machine.
  unequal.delete("frames");
  return {
    stream,
    nanosecondsPerAccess: median(times),
    counters,
    unequal: [...unequal],
    ratio: timesOfC.length === 0 ? null : median(times.map((time, i) => time / timesOfC[i]!)),
    ratioOfFastest: timesOfC.length === 0 ? null : Math.min(...times) / Math.min(...timesOfC),
  };
}
