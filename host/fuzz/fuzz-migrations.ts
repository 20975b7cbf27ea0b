/**
 * The fuzzer's other mode: random guests, each migrated under every engine that can, nothing may be lost.
 *
 * A seed names a sequence of programs and migrations. The first failure stops the run and is shrunk to a short
 * op list, written as a `vmmu-trace 3` with the migration as a comment.
 */
import { engineNamed, engineNames } from "../../bench/points/catalogue.ts";
import { Prng } from "../../guest/prng.ts";
import { writeTrace } from "../../workloads/trace/write.ts";
import { drawProgram } from "../../check/fuzz/draw-program.ts";
import type { FuzzFailure, FuzzProgress } from "../../check/fuzz/hunt.ts";
import type { Program } from "../../check/fuzz/program.ts";
import type { Target } from "../../check/fuzz/run-program.ts";
import { shrinkList } from "../../check/fuzz/shrink.ts";
import { smallPresets } from "../../check/fuzz/small-presets.ts";
import type { MigrationSettings } from "../../bench/results/migration-record.ts";
import { engineProblem } from "../migration/engines.ts";
import { type FuzzedMigration, runMigrated } from "./fuzz-migration.ts";
import { sentPageBytes } from "../migration/link.ts";
import { defaultSettings } from "../migration/settings.ts";

export interface MigrationFuzzOptions {
  readonly seed: number;
  /** Guest ops in all, counted once however many engines run them. */
  readonly ops: number;
  /** By name; planted bugs beside the registry's. */
  readonly targets: Readonly<Record<string, Target["factory"]>>;
  readonly onProgress: (progress: FuzzProgress) => void;
}

export interface MigrationFuzzProgress extends FuzzProgress {
  /** Guests that were compared to the end, and how many pages went over the link for them. */
  readonly migrations: number;
  readonly pagesSent: number;
  readonly pagesPulled: number;
}

export interface MigrationFuzzResult extends MigrationFuzzProgress {
  readonly failure: FuzzFailure | null;
}

const opsPerProgram = 1200;
const shrinkTrialsMax = 1500;

/** Those of the named engines that have a host, made of two ones among them. */
export function migratable(names: readonly string[]): MigrationFuzzOptions["targets"] {
  return Object.fromEntries(
    names
      .filter(
        (name) => engineProblem(name, { mode: "postcopy", postcopyAfterRounds: 0 }) === undefined,
      )
      .map((name) => [name, engineNamed(name).create]),
  );
}

/** Every engine of the registry that has a host. */
export const migratableEngines = migratable(engineNames);

export function fuzzMigrations(options: MigrationFuzzOptions): MigrationFuzzResult {
  const { seed, ops, targets, onProgress } = options;
  const prng = new Prng(seed);
  const total = { programs: 0, ops: 0, checked: 0, migrations: 0, pagesSent: 0, pagesPulled: 0 };
  while (total.ops < ops) {
    const program = drawProgram(prng, Math.min(opsPerProgram, ops - total.ops));
    const presetName = prng.chance(50) ? "tiny" : "roomy";
    for (const [engine, factory] of Object.entries(targets)) {
      const target = targetOf(engine, factory, presetName);
      const migration = drawMigration(prng, program, engine);
      const outcome = runMigrated(program, target, migration);
      total.checked += outcome.checked;
      total.pagesSent += outcome.pagesSent;
      total.pagesPulled += outcome.pagesPulled;
      if (outcome.verdict !== null) total.migrations += 1;
      if (outcome.problem === null) continue;
      return { ...total, failure: report(program, target, migration) };
    }
    total.programs += 1;
    total.ops += program.groups.flat().length;
    onProgress({ ...total });
  }
  return { ...total, failure: null };
}

function targetOf(
  engine: string,
  factory: Target["factory"],
  presetName: keyof typeof smallPresets,
): Target {
  const preset = smallPresets[presetName];
  return { engine, factory, native: false, presetName, preset, nestedLevels: 4 };
}

function drawMigration(prng: Prng, program: Program, engine: string): FuzzedMigration {
  // From a page in twenty ops to five pages in one: the guest outruns the link, or the link the guest.
  const pagesPerOp = (1 + prng.below(100)) / 20;
  const settings: MigrationSettings = {
    ...defaultSettings,
    mode: prng.chance(40) ? "postcopy" : "precopy",
    bandwidthBitsPerSecond: pagesPerOp * sentPageBytes * 8 * 1000,
    downtimeLimitMs: prng.below(60),
    bandwidthWindowMs: prng.below(50),
    autoConverge: prng.chance(30) ? 1 : 0,
    throttlePeriodMs: prng.below(100),
    zeroPages: prng.chance(70) ? 1 : 0,
    postcopyAfterRounds: prng.below(3),
    roundTripMs: prng.below(5),
  };
  const isPossible = engineProblem(engine, settings) === undefined;
  return {
    startGroup: prng.below(Math.ceil(program.groups.length / 2)),
    settings: isPossible ? settings : { ...settings, mode: "postcopy", postcopyAfterRounds: 0 },
  };
}

function report(
  program: Program,
  target: Target,
  { startGroup, settings }: FuzzedMigration,
): FuzzFailure {
  const problem = (before: Program["groups"], after: Program["groups"]) =>
    runMigrated({ ...program, groups: [...before, ...after] }, target, {
      startGroup: before.length,
      settings,
    }).problem;
  // Apart, so that the migration starts where it did whatever is left out.
  const early = program.groups.slice(0, startGroup);
  const after = shrinkList({
    items: program.groups.slice(startGroup),
    fails: (rest) => problem(early, rest) !== null,
    trialsMax: shrinkTrialsMax,
  });
  const before = shrinkList({
    items: early,
    fails: (rest) => problem(rest, after) !== null,
    trialsMax: shrinkTrialsMax,
  });
  const ops = [...before, ...after].flat();
  const { engine, presetName } = target;
  const message = problem(before, after) ?? "fails no more once it is shrunk";
  const [first = "", ...rest] = writeTrace(program.header, ops).split("\n");
  const comments = [
    `${engine} on ${presetName}, migrated from op ${before.flat().length} on; ms are ops:`,
    JSON.stringify(settings),
    ...message.split("\n"),
  ].map((line) => `# ${line}`);
  const trace = [first, ...comments, ...rest].join("\n");
  return { engine, preset: presetName, message, trace, ops: ops.length };
}
