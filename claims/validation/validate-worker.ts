/**
 * What a worker thread does: reads one trace, replays it under each engine asked for, compares.
 */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import type { EngineName } from "../../engines/index.ts";
import { decodeVmmu } from "../../workloads/trace/vmmu.ts";
import { errorLine } from "../../bench/input/config-error.ts";
import { type Comparison, compare } from "./compare.ts";
import type { PhaseCounts } from "./counter-map.ts";
import type { Expectation } from "./ground-truth.ts";
import { engineFor, replayTrace } from "./replay-trace.ts";

/** One trace: expectations of all kernels and modes. */
export type ValidateTask = readonly Expectation[];

export type ValidateOutcome =
  | { readonly kind: "compared"; readonly comparisons: readonly TraceComparison[] }
  | { readonly kind: "failed"; readonly message: string };

export interface TraceComparison extends Comparison {
  readonly trace: string;
  readonly kernel: string;
  readonly mode: string;
  /** The engine that answered; null when nothing models this kernel and mode. */
  readonly engine: EngineName | null;
}

/** The task that `claims/validation/validate.ts` names. */
export function runTask(task: ValidateTask): ValidateOutcome {
  const [first] = task;
  if (first === undefined) return { kind: "compared", comparisons: [] };
  try {
    const source = decodeVmmu(gunzipSync(readFileSync(first.file)), first.file);
    // Kernels that one engine answers for share its replay.
    const replays = new Map<EngineName, PhaseCounts[]>();
    const comparisons = task.map(({ trace, kernel, mode, rows }): TraceComparison => {
      const engine = engineFor(kernel, mode);
      const place = { trace, kernel, mode, engine: engine ?? null };
      if (engine === undefined) {
        return { ...place, compared: 0, differences: [], unknownCounters: [] };
      }
      const phases = replays.get(engine) ?? replayTrace(source, engine);
      replays.set(engine, phases);
      return { ...place, ...compare(rows, phases) };
    });
    return { kind: "compared", comparisons };
  } catch (error) {
    return { kind: "failed", message: `${first.file}: ${errorLine(error)}` };
  }
}
