/** A process of its own for `steadiness.ts`: runs the engines that its arguments name, prints what each took. */
import { presets } from "../../machine/presets.ts";
import { ownMmu } from "../../machine/fast.ts";
import { timed } from "../host-time.ts";
import { runPoint } from "../points/run-point.ts";
import { steadyPoint } from "./steadiness.ts";

const times: Record<string, number> = {};
for (const engine of process.argv.slice(2)) {
  const options = { preset: presets["skylake-sp"], mmu: ownMmu, check: false };
  const { processorMilliseconds } = timed(() => runPoint(steadyPoint(engine, 0), options));
  times[engine] = processorMilliseconds;
}
process.stdout.write(JSON.stringify(times));
