/**
 * What a worker thread does: reads one trace or stream, replays it under each engine or mode asked for, compares.
 */
import type { OpChunk } from "../../workloads/trace/ops.ts";
import { openTrace } from "../../workloads/trace/open.ts";
import { type DecodedTrace, readVmmu } from "../../workloads/trace/vmmu.ts";
import { errorLine } from "../../bench/input/config-error.ts";
import {
  type ColdCounts,
  type Comparison,
  compare,
  compareCold,
  type PhaseValues,
} from "./compare.ts";
import { valueOf } from "./counter-map.ts";
import type { Expectation } from "./ground-truth.ts";
import { replayStream } from "./iommu/replay-stream.ts";
import { isModelled, modesOf, readStream } from "./iommu/stream.ts";
import { nestedValueOf } from "./nested/counters.ts";
import { levelsOfMode } from "./nested/levels-of-mode.ts";
import { replayNested } from "./nested/replay.ts";
import { engineFor, replayTrace } from "./replay-trace.ts";

/** One trace with its expectations of all kernels and modes, or one stream, which holds its own. */
export type ValidateTask =
  | { readonly kind: "trace"; readonly file: string; readonly expectations: readonly Expectation[] }
  | { readonly kind: "stream"; readonly file: string; readonly name: string };

export type ValidateOutcome =
  | { readonly kind: "compared"; readonly comparisons: readonly TraceComparison[] }
  | { readonly kind: "failed"; readonly message: string };

export interface TraceComparison extends Comparison {
  readonly trace: string;
  readonly kernel: string;
  readonly mode: string;
  /** What answered; null when nothing models this kernel and mode. */
  readonly engine: string | null;
  /** Rows with a range; null where there are none. */
  readonly cold: ColdCounts | null;
}

/** The kernel whose driver the streams were measured with. */
const streamKernel = "6.1";

/** The task that `claims/validation/validate.ts` names. */
export async function runTask(task: ValidateTask): Promise<ValidateOutcome> {
  try {
    const comparisons = task.kind === "trace" ? await runTrace(task) : runStream(task);
    return { kind: "compared", comparisons };
  } catch (error) {
    return { kind: "failed", message: `${task.file}: ${errorLine(error)}` };
  }
}

interface Replayer {
  readonly engine: string;
  readonly replay: (source: DecodedTrace) => readonly PhaseValues[];
}

/** Who answers, or undefined when nothing models the kernel and mode. */
function replayer({ kernel, mode, nested }: Expectation): Replayer | undefined {
  if (nested !== undefined) {
    const levels = levelsOfMode(kernel, mode, nested.variant);
    if (levels === undefined) return undefined;
    const replay = (source: DecodedTrace) =>
      replayNested(source, levels.create).map((phase) => {
        return { name: phase.name, valueOf: (counter: string) => nestedValueOf(counter, phase) };
      });
    return { engine: levels.name, replay };
  }
  const engine = engineFor(kernel, mode);
  if (engine === undefined) return undefined;
  const replay = (source: DecodedTrace) =>
    replayTrace(source, engine).map((phase) => {
      return { name: phase.name, valueOf: (counter: string) => valueOf(counter, phase) };
    });
  return { engine, replay };
}

async function runTrace({
  file,
  expectations,
}: Extract<ValidateTask, { kind: "trace" }>): Promise<TraceComparison[]> {
  const source = await decode(file);
  // Kernels that one engine answers for share its replay.
  const replays = new Map<string, readonly PhaseValues[]>();
  return expectations.map((expectation): TraceComparison => {
    const { trace, kernel, rows, nested } = expectation;
    const mode = nested === undefined ? expectation.mode : `${expectation.mode} ${nested.variant}`;
    const answer = replayer(expectation);
    const place = { trace, kernel, mode, engine: answer?.engine ?? null };
    if (answer === undefined) {
      return { ...place, compared: 0, differences: [], unknownCounters: [], cold: null };
    }
    const phases = replays.get(answer.engine) ?? answer.replay(source);
    replays.set(answer.engine, phases);
    const cold = nested === undefined ? null : compareCold(nested.cold, phases);
    return { ...place, ...compare(rows, phases), cold };
  });
}

function runStream({ file, name }: Extract<ValidateTask, { kind: "stream" }>): TraceComparison[] {
  const phases = readStream(file);
  return modesOf(phases).map((mode): TraceComparison => {
    const place = { trace: name, kernel: streamKernel, mode, cold: null };
    return isModelled(mode)
      ? { ...place, engine: "vt-d", ...replayStream(phases, mode) }
      : { ...place, engine: null, compared: 0, differences: [], unknownCounters: [] };
  });
}

/** A whole trace in memory, whatever it is packed with: several engines replay it. */
export async function decode(path: string): Promise<DecodedTrace> {
  const { bytes } = await openTrace(path);
  const { file, header, chunks } = await readVmmu(bytes, path);
  const all: OpChunk[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return { file, header, chunks: all };
}
