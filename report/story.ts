/**
 * The whole answer in one picture: a program that touches memory and one that changes its page tables, under no
 * hypervisor, shadow paging and nested paging, and who is ahead over all programs of the sweep.
 */
import { baselineEngine, type CycleCategory, type PointRow } from "../bench/results/result.ts";
import { arrange, type Case, type Setting } from "./cases.ts";
import { headlineCases, headlineSettings } from "./headline-programs.ts";
import { programWords } from "./program-words.ts";
import { summarize } from "./statistics.ts";
import { geometricMean } from "../bench/results/figures.ts";
import type { ResultRows } from "../bench/results/result.ts";

/** Where cycles go, as coarse as the argument: the guest's own, and what each scheme adds. */
export const storyParts = [
  { name: "the program itself", isPart: (name: CycleCategory) => name.startsWith("guest") },
  { name: "page walks", isPart: (name: CycleCategory) => name.startsWith("walk") },
  { name: "VM exits", isPart: (name: CycleCategory) => name.startsWith("exit") },
  {
    name: "hypervisor software",
    isPart: (name: CycleCategory) => name.startsWith("hypervisor") || name === "host",
  },
] as const;

export interface StoryBar {
  readonly engine: string;
  /** Over native. */
  readonly slowdown: number;
  /** One per part, in units of native's cycles; they add up to the slowdown. */
  readonly shares: readonly number[];
}

export interface StoryProgram {
  readonly workload: string;
  readonly name: string;
  readonly bars: readonly StoryBar[];
}

export interface Story {
  readonly setting: string;
  /** The engine that stands for each family. */
  readonly shadow: string;
  readonly nested: string;
  readonly touches: StoryProgram;
  readonly changes: StoryProgram;
  /** Over the headline programs. */
  readonly verdict: Duel;
  /** With what differs from them too: kernels that isolate their tables, cold hosts, other sizes. */
  readonly all: Duel;
}

/** One engine of each family over all programs that both ran. */
export interface Duel {
  readonly programs: number;
  /** Geometric means of slowdowns. */
  readonly shadow: number;
  readonly nested: number;
  readonly shadowWins: number;
  readonly nestedWins: number;
}

/** Closer than this is a draw. */
const drawRatio = 1.005;
/** Programs that readers know, best first. */
const known = {
  touches: ["gups", "btree", "zipf", "uniform"],
  changes: ["key-value", "forkwait", "mprotect-gc", "compile"],
} as const;

/** Null where no program ran on bare metal, under shadow paging and under nested paging. */
export function storyOf(rows: ResultRows): Story | null {
  const settings = arrange(rows);
  const setting = headlineSettings(settings)[0] ?? settings[0];
  const pair = setting === undefined ? null : pairOf(setting.engines);
  if (setting === undefined || pair === null) return null;
  const raced = racesOf(setting, pair);
  const touches = pick(raced, known.touches, (ratio) => 1 / ratio);
  const changes = pick(raced, known.changes, (ratio) => ratio);
  if (touches === undefined || changes === undefined) return null;
  const engines = [baselineEngine, pair.shadow, pair.nested];
  return {
    setting: setting.title,
    ...pair,
    touches: programOf(touches.of, engines),
    changes: programOf(changes.of, engines),
    verdict: duelOf(racesOf({ cases: headlineCases(setting) }, pair)),
    all: duelOf(raced),
  };
}

export interface Pair {
  readonly shadow: string;
  readonly nested: string;
}

/** What KVM does where it was run; else whatever bears the family's name. */
export function pairOf(engines: readonly string[]): Pair | null {
  const first = (wanted: readonly string[]) => wanted.find((name) => engines.includes(name));
  const shadow = first(["shadow-lazy", ...engines.filter((name) => name.startsWith("shadow"))]);
  const nested = first(["ept", "npt", ...engines.filter((name) => /^(?:ept|npt)/.test(name))]);
  return shadow === undefined || nested === undefined ? null : { shadow, nested };
}

/** A program that both engines ran; `ratio` is shadow over nested. */
export interface Race {
  readonly of: Case;
  readonly shadow: number;
  readonly nested: number;
  readonly ratio: number;
}

export function racesOf({ cases }: Pick<Setting, "cases">, pair: Pair): Race[] {
  return cases.flatMap((one) => {
    const [shadow, nested] = [pair.shadow, pair.nested].map((engine) => medianOf(one, engine));
    if (shadow === undefined || nested === undefined) return [];
    return [{ of: one, shadow, nested, ratio: shadow / nested }];
  });
}

function medianOf({ series }: Case, engine: string): number | undefined {
  const points = series.find((one) => one.engine === engine)?.points ?? [];
  const slowdowns = points.flatMap(({ slowdown }) => (slowdown === null ? [] : [slowdown]));
  return slowdowns.length === 0 ? undefined : summarize(slowdowns).median;
}

export type Winner = keyof Pair | "draw";

export function winnerOf({ ratio }: Pick<Race, "ratio">): Winner {
  if (ratio > drawRatio) return "nested";
  return ratio < 1 / drawRatio ? "shadow" : "draw";
}

function duelOf(races: readonly Race[]): Duel {
  return {
    programs: races.length,
    shadow: geometricMean(races.map(({ shadow }) => shadow)),
    nested: geometricMean(races.map(({ nested }) => nested)),
    shadowWins: races.filter((race) => winnerOf(race) === "shadow").length,
    nestedWins: races.filter((race) => winnerOf(race) === "nested").length,
  };
}

/** The first program that readers know and that shows the effect; else the one that shows it most. */
function pick(
  races: readonly Race[],
  names: readonly string[],
  strengthOf: (ratio: number) => number,
): Race | undefined {
  const showing = races.filter(({ ratio }) => strengthOf(ratio) > drawRatio);
  const byName = names.flatMap((name) => showing.find(({ of }) => of.workload === name) ?? []);
  const [strongest] = showing.toSorted((a, b) => strengthOf(b.ratio) - strengthOf(a.ratio));
  return byName[0] ?? strongest;
}

function programOf(one: Case, engines: readonly string[]): StoryProgram {
  return {
    workload: one.workload,
    name: programWords(one),
    bars: engines.flatMap((engine) => {
      const points = one.series.find((series) => series.engine === engine)?.points ?? [];
      const sorted = points
        .filter(({ slowdown }) => slowdown !== null)
        .toSorted((a, b) => (a.slowdown ?? 0) - (b.slowdown ?? 0));
      const middle = sorted[Math.floor((sorted.length - 1) / 2)];
      return middle === undefined ? [] : [barOf(engine, middle)];
    }),
  };
}

function barOf(engine: string, { cycles, cyclesTotal, slowdown }: PointRow): StoryBar {
  const whole = slowdown ?? 1;
  const shares = storyParts.map(({ isPart }) => {
    const names = (Object.keys(cycles) as CycleCategory[]).filter(isPart);
    const spent = names.reduce((sum, name) => sum + cycles[name], 0);
    return (spent / Math.max(1, cyclesTotal)) * whole;
  });
  return { engine, slowdown: whole, shares };
}
