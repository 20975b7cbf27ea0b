/**
 * What a worker thread of `shadewalk why` does: a point, under schemes that the registry does not have too.
 */
import { errorLine } from "../config-error.ts";
import { hardwareFor } from "../hardware.ts";
import { timed } from "../host-time.ts";
import type { PointOutcome, PointTask } from "../pool.ts";
import { runPoint } from "../run-point.ts";
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
