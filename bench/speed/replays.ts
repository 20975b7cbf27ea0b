/**
 * How fast a recorded Linux is replayed: ops of the recording per second of one processor, decoded before.
 *
 * A recording's first replay compiles the units and is not timed; of the others the fastest counts, in processor time.
 */
import { presets } from "../../machine/presets.ts";
import { hardwareFor } from "../../machine/hardware.ts";
import { linuxWorkloads } from "../../workloads/trace/linux.ts";
import { timed } from "../host-time.ts";
import { runPoint } from "../points/run-point.ts";

export interface Replay {
  readonly engine: string;
  readonly workload: keyof typeof linuxWorkloads;
}

export interface ReplaySpeed extends Replay {
  /** Lines of the recording, the accesses that it left out not counted. */
  readonly ops: number;
  readonly exits: number;
  readonly nanosecondsPerOp: number;
}

export const replays: readonly Replay[] = (["native", "shadow-lazy", "ept"] as const).flatMap(
  (engine) =>
    (["linux:fork", "linux:shell", "linux:cc1", "linux:pingpong-kpti"] as const).map(
      (workload) => ({ engine, workload }),
    ),
);

/** Replays the whole recording `times` times and once before. */
export function measureReplay({ engine, workload }: Replay, times: number): ReplaySpeed {
  const { defaults } = linuxWorkloads[workload];
  const preset = presets["skylake-sp"];
  const host = { backing: "4k", guestLevels: 4, nestedLevels: 4, seed: 1 } as const;
  const key = { id: 0, engine, workload, preset: "skylake-sp", params: defaults, ...host };
  const options = { preset, check: false, ...hardwareFor(preset) };
  runPoint(key, options);
  const runs = Array.from({ length: times }, () => timed(() => runPoint(key, options)));
  const fastest = Math.min(...runs.map(({ processorMilliseconds }) => processorMilliseconds));
  const { setup, measured } = runs[0]?.value.result.regions ?? {};
  const exits = (setup?.ledger.exits ?? 0) + (measured?.ledger.exits ?? 0);
  const { ops } = defaults;
  return { engine, workload, ops, exits, nanosecondsPerOp: (1e6 * fastest) / ops };
}
