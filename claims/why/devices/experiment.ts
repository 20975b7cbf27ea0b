/**
 * The contract of an experiment about devices: which runs of device programs it needs, and what it reads from them.
 */
import { assert } from "../../../machine/assert.ts";
import type { Finding } from "../../../bench/results/answer.ts";
import {
  devicePrograms,
  type DeviceProgramName,
  type DmaSchemeName,
} from "../../../host/dma/catalogue.ts";
import { type DmaRow, type DmaRunOptions, measureDma } from "../../../host/dma/run-dma.ts";

/** A run as experiments name it; the rest is usual. */
export interface DmaPoint {
  readonly scheme: DmaSchemeName;
  readonly program: DeviceProgramName;
  readonly flush?: "strict" | "lazy";
  readonly params?: DmaRunOptions["params"];
}

export interface DmaFindings {
  readonly of: (point: DmaPoint) => DmaRow;
  /** Pages pinned at the end of each of `timeParts` equal parts of the run. */
  readonly pinnedOf: (point: DmaPoint) => readonly number[];
}

export interface DmaExperiment {
  /** The question, as a heading. */
  readonly title: string;
  readonly points: readonly DmaPoint[];
  readonly read: (findings: DmaFindings) => Finding;
}

/** A topic of `shadewalk why` whose evidence is device programs. */
export interface DmaTopic {
  readonly title: string;
  readonly devices: Readonly<Record<string, DmaExperiment>>;
}

/** Smaller than the programs' own sizes: nothing depends on them. */
const sizes: Readonly<Record<DeviceProgramName, DmaRunOptions["params"]>> = {
  "nic-ring": { packets: 4000 },
  "nvme-queue": { requests: 800 },
  "stream-reader": { pages: 4096, reads: 40_000 },
};

function dmaOptions({ scheme, program, flush = "strict", params }: DmaPoint): DmaRunOptions {
  return {
    scheme,
    program,
    flush,
    params: { ...devicePrograms[program].defaults, ...sizes[program], ...params },
    backing: "2m",
    preset: "vt-d",
    seed: 1,
    check: false,
  };
}

export const dmaIdentity = (point: DmaPoint): string => JSON.stringify(dmaOptions(point));

/** Into how many parts a run is cut where it is shown over time. */
const timeParts = 8;

export interface DmaResult {
  readonly identity: string;
  readonly row: DmaRow;
  readonly pinned: readonly number[];
}

/** Each run once, however many experiments ask for it. */
export function runDmaPoints(experiments: readonly DmaExperiment[]): DmaResult[] {
  const wanted = new Map(
    experiments.flatMap(({ points }) => points.map((point) => [dmaIdentity(point), point])),
  );
  return [...wanted].map(([identity, point]) => {
    const { row, pinned } = measureDma(dmaOptions(point));
    return { identity, row, pinned: pinned.atEnds(timeParts) };
  });
}

export function dmaFindings(results: readonly DmaResult[]): DmaFindings {
  const byIdentity = new Map(results.map((result) => [result.identity, result]));
  const resultOf = (point: DmaPoint) => {
    const result = byIdentity.get(dmaIdentity(point));
    assert(result !== undefined, () => `why: no such run: ${dmaIdentity(point)}`);
    return result;
  };
  return {
    of: (point) => resultOf(point).row,
    pinnedOf: (point) => resultOf(point).pinned,
  };
}

/** Events per mapping. */
export const perMap = (count: number, { maps }: DmaRow): number =>
  Number((count / Math.max(1, maps)).toPrecision(4));
