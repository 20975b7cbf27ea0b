/**
 * What a worker thread of `shadewalk why` does: a point, under schemes that the registry does not have too.
 */
import { errorLine } from "../../bench/input/config-error.ts";
import { hardwareFor } from "../../machine/hardware.ts";
import { timed } from "../../bench/host-time.ts";
import type { PointOutcome, PointTask } from "../../bench/sweeps/pool.ts";
import { runPoint } from "../../bench/points/run-point.ts";
import { engineVariants } from "./engine-variants.ts";

/** The task that `run-why.ts` names. */
export async function runTask({ key, preset, check }: PointTask): Promise<PointOutcome> {
  try {
    const hardware = hardwareFor(preset);
    const options = { preset, ...hardware, check, engineVariants };
    const { value, ...host } = timed(() => runPoint(key, options));
    return { kind: "finished", finished: { ...value, host } };
  } catch (error) {
    return { kind: "failed", message: errorLine(error) };
  }
}
