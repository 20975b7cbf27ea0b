/**
 * The fuzzer: random guests through all engines at once, each access under the oracle.
 *
 * A seed names a sequence of programs. Each draws its machine (levels, backing, PCID, vCPUs) and its habits;
 * every engine runs the same ops. Orderly guests must leave the same memory under each. The first failure
 * stops the run and is shrunk to a short `vmmu-trace 3`, which any replay with `--check` fails on again.
 */
import type { PagingLevels } from "../machine/address.ts";
import { type Preset, presets } from "../machine/presets.ts";
import { type EngineName, engines } from "../engines/index.ts";
import { Prng } from "../guest/prng.ts";
import { writeTrace } from "../workloads/trace/write.ts";
import { drawProgram } from "./fuzz/draw-program.ts";
import type { Program } from "./fuzz/program.ts";
import { runProgram, type Target, type Verdict } from "./fuzz/run-program.ts";
import { shrinkList } from "./fuzz/shrink.ts";
import { smallPresets } from "./fuzz/small-presets.ts";

export interface FuzzOptions {
  readonly seed: number;
  /** Guest ops in all, counted once however many engines run them. */
  readonly ops: number;
  readonly engines: readonly EngineName[];
  /** Processors to draw from; see `fuzzPresets`. */
  readonly presets: readonly string[];
  onProgress(progress: FuzzProgress): void;
}

export interface FuzzProgress {
  readonly programs: number;
  readonly ops: number;
  /** Accesses that the oracle has checked, over all engines. */
  readonly checked: number;
}

export interface FuzzFailure {
  readonly engine: string;
  readonly preset: string;
  /** The first line says what happened. */
  readonly message: string;
  /** A `vmmu-trace 3`, shrunk. */
  readonly trace: string;
  readonly ops: number;
}

export interface FuzzResult extends FuzzProgress {
  readonly failure: FuzzFailure | null;
}

/** Processors by name: those of the registry, and two made up for fuzzing. */
export const fuzzPresets: Readonly<Record<string, Preset>> = { ...smallPresets, ...presets };

/** Ops per program: long enough to build up state, short enough to shrink. */
const opsPerProgram = 1500;
const shrinkTrialsMax = 3000;

export function fuzz(options: FuzzOptions): FuzzResult {
  const { seed, ops } = options;
  const prng = new Prng(seed);
  const total = { programs: 0, ops: 0, checked: 0 };
  while (total.ops < ops) {
    const program = drawProgram(prng, Math.min(opsPerProgram, ops - total.ops));
    const targets = drawTargets(prng, options);
    const checked = runEverywhere(program, targets);
    total.programs += 1;
    total.ops += program.groups.flat().length;
    total.checked += checked.total;
    options.onProgress(total);
    if (checked.failure !== null) return { ...total, failure: shrink(program, checked.failure) };
  }
  return { ...total, failure: null };
}

function drawTargets(prng: Prng, { engines: names, presets: presetNames }: FuzzOptions): Target[] {
  const presetName = presetNames[prng.below(presetNames.length)];
  const preset = presetName === undefined ? undefined : fuzzPresets[presetName];
  if (presetName === undefined || preset === undefined) {
    throw new Error(`bug: fuzz: no preset ${presetName ?? "given"}`);
  }
  const nestedLevels: PagingLevels = prng.chance(20) ? 5 : 4;
  return names.map((engine) => {
    const native = engine === "native";
    return { engine, factory: engines[engine], native, presetName, preset, nestedLevels };
  });
}

interface Failed {
  readonly target: Target;
  /** The engine whose memory the failed one should have left, if that is the failure. */
  readonly twin: Target | null;
  readonly problem: string;
}

/** Runs the program under every target; stops at the first that fails. */
function runEverywhere(
  program: Program,
  targets: readonly Target[],
): { readonly total: number; readonly failure: Failed | null } {
  let total = 0;
  let first: { readonly target: Target; readonly verdict: Verdict } | null = null;
  for (const target of targets) {
    const verdict = runProgram(program, target);
    total += verdict.checked;
    const { problem } = verdict;
    if (problem !== null) return { total, failure: { target, twin: null, problem } };
    if (!program.isOrderly) continue;
    first ??= { target, verdict };
    const difference = compare(first.verdict, verdict);
    if (difference === null) continue;
    const twin = first.target;
    const text = `${target.engine} and ${twin.engine} differ: ${difference}`;
    return { total, failure: { target, twin, problem: text } };
  }
  return { total, failure: null };
}

/** How two engines differ on an orderly guest, or null. */
function compare(one: Verdict, other: Verdict): string | null {
  if (one.faults !== other.faults) return `${other.faults} and ${one.faults} guest page faults`;
  if (one.checked !== other.checked) return `${other.checked} and ${one.checked} accesses`;
  return one.digest === other.digest ? null : "they leave different bytes in guest memory";
}

function shrink(program: Program, failed: Failed): FuzzFailure {
  const { target, twin } = failed;
  const targets = twin === null ? [target] : [twin, target];
  const trial = (tried: Program) => runEverywhere(tried, targets).failure;
  const fails = (tried: Program) => trial(tried) !== null;
  const short = shrinkGroups(program, fails);
  // A wrong translation stays wrong in a guest that breaks the rules, so its ops need not stay together.
  const apart = { ...short, groups: short.groups.flat().map((op) => [op]), isOrderly: false };
  const shortest = fails(apart) ? shrinkGroups(apart, fails) : short;
  const message = trial(shortest)?.problem ?? failed.problem;
  const ops = shortest.groups.flat();
  const trace = withComments(writeTrace(program.header, ops), [
    `engine ${target.engine}, preset ${target.presetName}, nested levels ${target.nestedLevels}`,
    ...irrelevantCaches(shortest, targets),
    ...message.split("\n"),
  ]);
  return { engine: target.engine, preset: target.presetName, message, trace, ops: ops.length };
}

function shrinkGroups(program: Program, fails: (tried: Program) => boolean): Program {
  const groups = shrinkList({
    items: program.groups,
    fails: (rest) => fails({ ...program, groups: rest }),
    trialsMax: shrinkTrialsMax,
  });
  return { ...program, groups };
}

/** Names the caches without which the failure stays: whoever reads the trace need not think of them. */
function irrelevantCaches(program: Program, targets: readonly Target[]): string[] {
  const off: string[] = [];
  let without: Partial<Preset> = {};
  for (const [name, change] of Object.entries(cacheSwitches)) {
    const trial = { ...without, ...change };
    const changed = targets.map((target) => ({
      ...target,
      preset: { ...target.preset, ...trial },
    }));
    if (runEverywhere(program, changed).failure === null) continue;
    without = trial;
    off.push(name);
  }
  return off.length === 0 ? [] : [`fails without ${off.join(", ")} too`];
}

const none = { 2: null, 3: null, 4: null, 5: null } as const;
const cacheSwitches: Readonly<Record<string, Partial<Preset>>> = {
  l1Data: { l1Data: { "4k": null, "2m": null, "1g": null } },
  l1Code: { l1Code: { "4k": null, "2m": null } },
  stlb: { stlb: null, stlb1g: null },
  pwc: { pwc: none },
  nestedPwc: { nestedPwc: none },
  nestedTlb: { nestedTlb: null },
};

/** Comments go below the first line, which names the format. */
function withComments(trace: string, comments: readonly string[]): string {
  const end = trace.indexOf("\n") + 1;
  return trace.slice(0, end) + comments.map((line) => `# ${line}\n`).join("") + trace.slice(end);
}
