/**
 * A recorded whole system as a workload: an unmodified kernel and its programs, their page-table stores included.
 *
 * It brings its own kernel, so no guest of ours boots: `bench/points/run-system.ts` replays it on a bare vCPU. Exits that
 * memory has no part in stand in the recording, or were counted, not placed: those come evenly through their phase. They are
 * the same under every scheme.
 *
 * Model: what the guest read (A and D bits, time) is what it read as it was recorded, under a lazy shadow MMU or none. Bias: none
 * known; under every scheme A and D are set by the same accesses.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { zstdDecompressSync } from "node:zlib";
import type { OtherExit } from "../../machine/exits.ts";
import type { KernelSwitches } from "../options.ts";
import type { Workload } from "../workload.ts";
import { TraceError } from "./trace-error.ts";
import { type DecodedTrace, decodeVmmu } from "./vmmu.ts";

type SystemParams = Pick<KernelSwitches, "kpti" | "usedMemory"> & {
  /** Ops of the recording that warm up and are not measured. */
  readonly warmOps: number;
  /** Ops to replay, those that warm up included; more than the recording has means all of it. */
  readonly ops: number;
};

export interface SystemRecording {
  readonly title: string;
  readonly summary: string;
  /** A .zst file, beside this module's folder. */
  readonly path: string;
  /** Ops at whose end the guest is warm: the first phase, or a third of the only one. */
  readonly warmOps: number;
  readonly ops: number;
  /** 1 where the recorded kernel isolates its page tables. */
  readonly kpti: 0 | 1;
  /** Exits that are not the MMU's, by phase, as KVM counted them in the recorded run; none where the recording has them. */
  readonly others: readonly Readonly<Partial<Record<OtherExit, number>>>[];
  /** What a reader must know of the recording. */
  readonly label: string;
}

export interface SystemWorkload extends Workload<SystemParams> {
  readonly label: string;
  /** The recording, for whoever hashes a run's inputs. */
  readonly file: string;
  readonly others: SystemRecording["others"];
  /** The decoded recording; the last one asked for is kept. */
  system(): DecodedTrace;
  /** Threads started from now on decode by themselves. */
  share(): void;
}

/** 384 MiB: the guest of every recording. */
const guestFrames = 0x1800_0000 / 4096;

/** A recording decoded takes up to 120 MB, so a thread keeps one. */
let kept: DecodedTrace | null = null;

export function systemWorkload(recording: SystemRecording): SystemWorkload {
  const { title, summary, path, warmOps, ops, kpti, others, label } = recording;
  const file = fileURLToPath(new URL(path, import.meta.url));
  return {
    title,
    summary,
    label,
    file,
    others,
    system() {
      if (kept?.file !== file) kept = decodeVmmu(zstdDecompressSync(readFileSync(file)), file);
      return kept;
    },
    share: () => undefined,
    defaults: { warmOps, ops, kpti, usedMemory: 1 },
    computeCycles: { perOp: 1, source: "assumed: one cycle an instruction when nothing misses" },
    guestFrames: () => guestFrames,
    guestOptions: () => ({}),
    run() {
      // A migration, clones: what drives a guest of ours has none here.
      const allowed = "a program; a recorded system runs in a point or a sweep";
      throw new TraceError({ file, line: 0, field: "workload", value: title, allowed });
    },
  };
}
