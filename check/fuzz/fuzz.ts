/**
 * The fuzzer: random guests through all engines at once, each access under the oracle.
 *
 * A seed names a sequence of programs. Each draws its machine (levels, backing, PCID, vCPUs) and its habits;
 * every engine runs the same ops. Orderly guests must leave the same memory under each. The first failure
 * stops the run and is shrunk to a short `vmmu-trace 3`, which any replay with `--check` fails on again.
 */
import type { PagingLevels } from "../../machine/address.ts";
import { type Preset, presets } from "../../machine/presets.ts";
import { findEngine } from "../../engines/index.ts";
import { Prng } from "../../guest/prng.ts";
import { drawProgram } from "./draw-program.ts";
import { everySequence } from "./every-sequence.ts";
import { type FuzzProgress, type FuzzResult, hunt } from "./hunt.ts";
import type { Program } from "./program.ts";
import type { Target } from "./run-program.ts";
import { smallPresets } from "./small-presets.ts";

export interface FuzzOptions {
  readonly seed: number;
  /** Guest ops in all, counted once however many engines run them. */
  readonly ops: number;
  /** Names of the registry, or `A@B`. */
  readonly engines: readonly string[];
  /** Processors to draw from; see `fuzzPresets`. */
  readonly presets: readonly string[];
  readonly onProgress: (progress: FuzzProgress) => void;
}

/** Processors by name: those of the registry, and two made up for fuzzing. */
export const fuzzPresets: Readonly<Record<string, Preset>> = { ...smallPresets, ...presets };

/** Ops per program: long enough to build up state, short enough to shrink. */
const opsPerProgram = 1500;

export function fuzz({ seed, ops, onProgress, ...choice }: FuzzOptions): FuzzResult {
  const prng = new Prng(seed);
  return hunt({
    programs: drawPrograms(prng, ops),
    nextTargets: () => {
      const presetName = choice.presets[prng.below(choice.presets.length)] ?? "none given";
      return targetsOf(choice.engines, presetName, prng.chance(20) ? 5 : 4);
    },
    known: presets,
    onProgress,
  });
}

/** Every sequence of a few ops on a few pages, in place of random ones: small, but with no gaps. */
export function exhaust(
  options: Omit<FuzzOptions, "seed" | "ops"> & { readonly length: number },
): FuzzResult {
  const [presetName = "none given"] = options.presets;
  const targets = targetsOf(options.engines, presetName, 4);
  return hunt({
    programs: everySequence(options.length),
    nextTargets: () => targets,
    known: presets,
    onProgress: options.onProgress,
  });
}

function* drawPrograms(prng: Prng, ops: number): Generator<Program> {
  for (let drawn = 0; drawn < ops;) {
    const program = drawProgram(prng, Math.min(opsPerProgram, ops - drawn));
    drawn += program.groups.flat().length;
    yield program;
  }
}

function targetsOf(
  names: readonly string[],
  presetName: string,
  nestedLevels: PagingLevels,
): Target[] {
  const preset = fuzzPresets[presetName];
  if (preset === undefined) throw new Error(`bug: fuzz: no preset ${presetName}`);
  return names.map((engine) => {
    const native = engine === "native";
    const found = findEngine(engine);
    if (found === undefined || "problem" in found) throw new Error(`bug: fuzz: no ${engine}`);
    const isAlone = engine.includes("@");
    return { engine, factory: found.create, native, isAlone, presetName, preset, nestedLevels };
  });
}
