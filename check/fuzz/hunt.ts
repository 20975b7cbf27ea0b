/**
 * Runs programs under several engines until one fails, then shrinks that one and writes it down.
 */
import type { Preset } from "../../machine/presets.ts";
import { writeTrace } from "../../workloads/trace/write.ts";
import { Prng } from "../../guest/prng.ts";
import type { Program } from "./program.ts";
import { runPair } from "./run-pair.ts";
import { runProgram, type Target, type Verdict } from "./run-program.ts";
import { shrinkList } from "./shrink.ts";

export interface HuntOptions {
  readonly programs: Iterable<Program>;
  /** What the next program runs on. */
  readonly nextTargets: () => readonly Target[];
  /** Processors that a replay can name: a failure is told on one of them if it shows there. */
  readonly known: Readonly<Record<string, Preset>>;
  readonly onProgress: (progress: FuzzProgress) => void;
}

export interface FuzzProgress {
  readonly programs: number;
  /** Guest ops, counted once however many engines ran them. */
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

const shrinkTrialsMax = 3000;

export function hunt({ programs, nextTargets, known, onProgress }: HuntOptions): FuzzResult {
  const total = { programs: 0, ops: 0, checked: 0 };
  for (const program of programs) {
    const targets = nextTargets();
    const { checked, failure } = runEverywhere(program, targets);
    total.programs += 1;
    total.ops += program.groups.flat().length;
    total.checked += checked;
    onProgress({ ...total });
    if (failure !== null) return { ...total, failure: report(program, failure, known) };
    const pair = runPaired(program, targets, total.programs);
    if (pair !== null) return { ...total, failure: pair };
  }
  return { ...total, failure: null };
}

/** The guest beside a clone of itself, under one engine after the other. Not shrunk: a trace knows one guest. */
function runPaired(program: Program, targets: readonly Target[], turn: number): FuzzFailure | null {
  const able = targets.filter(({ native, isAlone }) => !native && isAlone !== true);
  const target = able[turn % able.length];
  if (target === undefined) return null;
  const message = runPair(program, target, new Prng(turn));
  if (message === null) return null;
  const ops = program.groups.flat();
  const trace = withComments(writeTrace(program.header, ops), [
    `fails beside a clone of itself (program ${turn} of its seed): shadewalk fuzz`,
    ...message.split("\n"),
  ]);
  return { engine: target.engine, preset: target.presetName, message, trace, ops: ops.length };
}

interface Failed {
  readonly problem: string;
  /** The target that failed last; before it, the one whose result it should have had, if that matters. */
  readonly targets: readonly Target[];
}

/** Runs the program under every target; stops at the first that fails. */
function runEverywhere(
  program: Program,
  targets: readonly Target[],
): { readonly checked: number; readonly failure: Failed | null } {
  let checked = 0;
  let first: { readonly target: Target; readonly verdict: Verdict } | null = null;
  for (const target of targets) {
    const verdict = runProgram(program, target);
    checked += verdict.checked;
    const { problem } = verdict;
    if (problem !== null) return { checked, failure: { problem, targets: [target] } };
    if (!program.isOrderly) continue;
    first ??= { target, verdict };
    const difference = compare(first.verdict, verdict);
    if (difference === null) continue;
    const pair = [first.target, target];
    const text = `${target.engine} and ${first.target.engine} differ: ${difference}`;
    return { checked, failure: { problem: text, targets: pair } };
  }
  return { checked, failure: null };
}

/** How two engines differ on an orderly guest, or null. */
function compare(one: Verdict, other: Verdict): string | null {
  if (one.faults !== other.faults) return `${other.faults} and ${one.faults} guest page faults`;
  if (one.checked !== other.checked) return `${other.checked} and ${one.checked} accesses`;
  return one.digest === other.digest ? null : "they leave different bytes in guest memory";
}

function report(program: Program, failed: Failed, known: HuntOptions["known"]): FuzzFailure {
  const trial = (tried: Program, targets = failed.targets) => runEverywhere(tried, targets).failure;
  const fails = (tried: Program) => trial(tried) !== null;
  const short = shrinkGroups(program, fails);
  // A wrong translation stays wrong in a guest that breaks the rules, so its ops need not stay together.
  const apart = { ...short, groups: short.groups.flat().map((op) => [op]), isOrderly: false };
  const shortest = fails(apart) ? shrinkGroups(apart, fails) : short;
  const targets = onKnown(failed.targets, known, (others) => trial(shortest, others) !== null);
  const message = trial(shortest, targets)?.problem ?? failed.problem;
  const { engine, presetName, nestedLevels } = targets.at(-1) ?? unnamed;
  const ops = shortest.groups.flat();
  const { levels } = program.header.registers;
  const trace = withComments(writeTrace(program.header, ops), [
    `shadewalk run --trace THIS --engine ${engine} --preset ${presetName} --levels ${levels}-on-${nestedLevels} --check`,
    ...irrelevantCaches(targets, (others) => trial(shortest, others) !== null),
    ...message.split("\n"),
  ]);
  return { engine, preset: presetName, message, trace, ops: ops.length };
}

const unnamed = { engine: "none", presetName: "none", nestedLevels: 4 };

function shrinkGroups(program: Program, fails: (tried: Program) => boolean): Program {
  const groups = shrinkList({
    items: program.groups,
    fails: (rest) => fails({ ...program, groups: rest }),
    trialsMax: shrinkTrialsMax,
  });
  return { ...program, groups };
}

/** The same targets on a processor that has a name, if the failure shows there. */
function onKnown(
  targets: readonly Target[],
  known: HuntOptions["known"],
  fails: (targets: readonly Target[]) => boolean,
): readonly Target[] {
  if (targets.every(({ presetName }) => presetName in known)) return targets;
  for (const [presetName, preset] of Object.entries(known)) {
    const moved = targets.map((target) => ({ ...target, presetName, preset }));
    if (fails(moved)) return moved;
  }
  return targets;
}

/** Names the caches without which the failure stays: whoever reads the trace need not think of them. */
function irrelevantCaches(
  targets: readonly Target[],
  fails: (targets: readonly Target[]) => boolean,
): string[] {
  const off: string[] = [];
  let without: Partial<Preset> = {};
  for (const [name, change] of Object.entries(cacheSwitches)) {
    const trial = { ...without, ...change };
    if (!fails(targets.map((target) => ({ ...target, preset: { ...target.preset, ...trial } }))))
      continue;
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
