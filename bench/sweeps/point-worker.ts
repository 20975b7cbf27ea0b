/**
 * What a worker thread does: runs one point and sends back its counts, or one line that says why not.
 */
import { errorLine } from "../input/config-error.ts";
import { hardwareFor } from "../../machine/hardware.ts";
import { timed } from "../host-time.ts";
import type { PointOutcome, PointTask } from "./pool.ts";
import { runPoint } from "../points/run-point.ts";

/** The task that `bench/sweeps/pool.ts` names. */
export async function runTask({ key, preset, check }: PointTask): Promise<PointOutcome> {
  try {
    const hardware = hardwareFor(preset);
    const { value, ...host } = timed(() => runPoint(key, { preset, ...hardware, check }));
    return { kind: "finished", finished: { ...value, host } };
  } catch (error) {
    return { kind: "failed", message: errorLine(error) };
  }
}
