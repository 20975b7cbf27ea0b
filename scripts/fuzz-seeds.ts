/**
 * A long run of the fuzzer on the terminal: each seed's line as it ends, failures with their traces, totals.
 */
import { writeFileSync } from "node:fs";
import type { FuzzFailure } from "../check/fuzz/hunt.ts";
import { drawSeeds, runSeeds, type SeedsOptions } from "../host/fuzz/run-seeds.ts";
import { migratedOps, type SeedReport } from "../host/fuzz/seed-run.ts";
import { createProgress } from "./progress.ts";

export interface LongRun {
  /** Decides the seeds. */
  readonly from: number;
  readonly count: number;
  /** Of the guests that stay, for each seed. */
  readonly ops: number;
  readonly engines: SeedsOptions["engines"];
  readonly presets: readonly string[];
  readonly workers: number;
  readonly quiet: boolean;
  /** Where the trace of a seed's failure goes; both parts of a seed may fail. */
  readonly fileOf: (seed: number, part: "" | "-migrated") => string;
}

/** Runs them all; resolves to the number of failures. */
export async function runFuzzSeeds(run: LongRun): Promise<number> {
  const { from, count, ops, engines, presets, workers, quiet } = run;
  const opsInAll = count * (ops + migratedOps({ ops, engines }));
  let opsDone = 0;
  const progress = createProgress({
    unit: "ops",
    count: opsInAll,
    weightLeft: () => Math.max(0, opsInAll - opsDone),
    speed: "count",
    quiet,
    stream: process.stderr,
  });
  console.log(`${count} seeds from --seed ${from}, ${ops} ops each, on ${workers} workers`);
  const total = { seeds: 0, programs: 0, ops: 0, checked: 0, migrations: 0, failures: 0 };
  const failed = (seed: number, failure: FuzzFailure, part: "" | "-migrated") => {
    total.failures += 1;
    const file = run.fileOf(seed, part);
    writeFileSync(file, failure.trace);
    console.log(`${failure.engine} on ${failure.preset} failed: ${failure.message}`);
    console.log(`${file}: ${failure.ops} ops that fail again`);
  };
  await runSeeds({
    seeds: drawSeeds(from, count),
    ops,
    engines,
    presets,
    workers,
    onProgress(more) {
      opsDone += more.ops;
      progress.add({ count: more.ops, weight: more.ops, accesses: more.checked });
    },
    onSeed(report) {
      const { seed, stayed, moved } = report;
      total.seeds += 1;
      for (const part of [stayed, moved]) {
        total.programs += part?.programs ?? 0;
        total.ops += part?.ops ?? 0;
        total.checked += part?.checked ?? 0;
      }
      total.migrations += moved?.migrations ?? 0;
      console.log(seedLine(report));
      if (stayed.failure !== null) failed(seed, stayed.failure, "");
      if (moved !== null && moved.failure !== null) failed(seed, moved.failure, "-migrated");
    },
    onDied(seed, message) {
      total.failures += 1;
      console.log(`seed ${seed}: its worker died: ${message}`);
    },
  });
  progress.finish();
  console.log(
    `${total.seeds} seeds, ${total.ops} ops, ${total.programs} programs, ${total.checked} accesses checked, ` +
      `${total.migrations} migrations: ${total.failures} failures`,
  );
  return total.failures;
}

function seedLine({ seed, stayed, moved }: SeedReport): string {
  const parts = [
    `seed ${seed}: ${stayed.ops} ops, ${stayed.checked} accesses checked`,
    ...(moved === null ? [] : [`${moved.ops} ops migrated, ${moved.migrations} migrations`]),
  ];
  const isGood = stayed.failure === null && (moved?.failure ?? null) === null;
  return `${parts.join("; ")}: ${isGood ? "ok" : "FAILED"}`;
}
