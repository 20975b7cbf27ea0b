/**
 * The fuzzer where guests are not x86-64's: random lives of the guest's own kernel, each under all engines given.
 *
 * The kernel writes its machine's entries and fences as that machine asks, so no translation may be stale. A life is told by
 * its seed: nothing is shrunk.
 */
import { everyEngine } from "../../engines/index.ts";
import { Prng } from "../../guest/prng.ts";
import type { PagingLevels } from "../../machine/address.ts";
import type { Isa } from "../../machine/isa/isa.ts";
import { OracleMismatch } from "../oracle/mismatch.ts";
import { fuzzPresets } from "./fuzz.ts";
import type { FuzzProgress } from "./hunt.ts";
import { type LifeOptions, liveKernelLife } from "./kernel-life.ts";

export interface LivesOptions {
  readonly seed: number;
  /** Steps of lives in all (a system call, or a burst of accesses), counted once however many engines live them. */
  readonly ops: number;
  /** Names of engines whose guests are of another ISA than x86-64. */
  readonly engines: readonly string[];
  readonly presets: readonly string[];
  readonly onProgress: (progress: FuzzProgress) => void;
}

export interface LivesResult extends FuzzProgress {
  /** What happened, and in which life; null: nothing. */
  readonly failure: string | null;
}

const stepsPerLife = 500;
const backings = ["4k", "4k", "2m", "1g"] as const;

export function fuzzLives({ seed, ops, onProgress, ...choice }: LivesOptions): LivesResult {
  const prng = new Prng(seed);
  const targets = choice.engines.map(targetOf);
  const total = { programs: 0, ops: 0, checked: 0 };
  while (total.ops < ops) {
    const steps = Math.min(stepsPerLife, ops - total.ops);
    const presetName = choice.presets[prng.below(choice.presets.length)] ?? "none given";
    const preset = fuzzPresets[presetName];
    if (preset === undefined) throw new Error(`bug: fuzz: no preset ${presetName}`);
    const backing = backings[prng.below(backings.length)] ?? "4k";
    const life = { seed: prng.below(2 ** 31), steps, preset, backing };
    const [depth, nestedDepth] = [prng.below(12), prng.below(12)];
    for (const { name, engine, isa } of targets) {
      const [levels, nestedLevels] = [levelsAt(isa, depth), levelsAt(isa, nestedDepth)];
      const { checked, problem } = tryLife({ ...life, engine, levels, nestedLevels });
      total.checked += checked;
      if (problem === null) continue;
      const where = `life ${total.programs + 1}, ${levels}-on-${nestedLevels}, ${backing} host pages`;
      return { ...total, failure: `${name} on ${presetName} failed (${where}): ${problem}` };
    }
    total.programs += 1;
    total.ops += steps;
    onProgress({ ...total });
  }
  return { ...total, failure: null };
}

function targetOf(name: string) {
  const engine = everyEngine[name];
  if (engine?.isa === undefined) throw new Error(`bug: fuzz: no ISA of its own for ${name}`);
  return { name, engine, isa: engine.isa };
}

/** One of the depths that tables of the ISA may have. */
function levelsAt({ levels }: Isa, depth: number): PagingLevels {
  return levels[depth % levels.length] ?? 4;
}

function tryLife(options: LifeOptions): {
  readonly checked: number;
  readonly problem: string | null;
} {
  try {
    const { checked, stale } = liveKernelLife(options);
    const problem = `${stale} accesses used what the kernel should have fenced`;
    return { checked, problem: stale === 0 ? null : problem };
  } catch (error) {
    if (error instanceof OracleMismatch) return { checked: 0, problem: error.message };
    throw error;
  }
}
