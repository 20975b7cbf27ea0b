/**
 * Ten streams that a plain C program runs as well, with the counters it printed.
 *
 * The C program is the same model (TLBs, walk caches, nested TLB, real tables, A/D bits); its counters for these
 * arguments are data (`expected.json`), so that equality is checked wherever the simulator runs.
 */
import { readFileSync } from "node:fs";
import type { StreamKind } from "./streams.ts";

export interface YardstickStream {
  readonly regime: string;
  readonly mode: "native" | "nested";
  readonly pageSize: "4k" | "2m";
  readonly kind: StreamKind;
  /** Region size in MiB. */
  readonly mebibytes: number;
  readonly accesses: number;
  /** Host time relative to plain C at -O2 that must not be exceeded. */
  readonly ratioMax: number;
}

const stream = (
  regime: string,
  [mode, pageSize, kind]: readonly [YardstickStream["mode"], "4k" | "2m", StreamKind],
  [mebibytes, accesses, ratioMax]: readonly [number, number, number],
): YardstickStream => ({ regime, mode, pageSize, kind, mebibytes, accesses, ratioMax });

export const yardstickStreams: readonly YardstickStream[] = [
  stream("same page, native", ["native", "4k", "seq"], [64, 8_000_000, 1.5]),
  stream("same page, nested", ["nested", "4k", "seq"], [64, 8_000_000, 1.5]),
  stream("L1 hit", ["nested", "4k", "uniform"], [0.125, 8_000_000, 1.3]),
  stream("STLB hit", ["nested", "4k", "uniform"], [4, 6_000_000, 1]),
  stream("zipf nested", ["nested", "4k", "zipf"], [1024, 3_000_000, 1.25]),
  stream("1D walk", ["native", "4k", "uniform"], [1024, 5_000_000, 1.1]),
  stream("2D walk 4K", ["nested", "4k", "uniform"], [1024, 4_000_000, 1.15]),
  stream("2D walk 4K, chase", ["nested", "4k", "chase"], [1024, 4_000_000, 1.15]),
  stream("tables beyond caches", ["nested", "4k", "uniform"], [8192, 1_500_000, 1]),
  stream("2M nested", ["nested", "2m", "uniform"], [16_384, 5_000_000, 1.2]),
];

/** The C program's arguments for a stream; also its name in the expected counters. */
export function argumentsOf({
  mode,
  pageSize,
  kind,
  mebibytes,
  accesses,
}: YardstickStream): readonly string[] {
  return [mode, pageSize, kind, String(mebibytes), String(accesses)];
}

/** Every counter that the C program prints, under its names. */
export type YardstickCounters = Readonly<Record<string, number | readonly number[]>>;

type KnownCounters = Readonly<Record<string, YardstickCounters>>;
const known = JSON.parse(
  readFileSync(new URL("./expected.json", import.meta.url), "utf8"),
) as KnownCounters;

/** What the C program counted, or undefined when the stream is not one of the committed ones. */
export function expectedCounters(of: YardstickStream): YardstickCounters | undefined {
  return known[argumentsOf(of).join(" ")];
}
