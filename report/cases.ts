/**
 * Rows arranged for comparison: settings, in them cases, in a case one series per engine.
 *
 * A setting is a machine (preset, page sizes of guest and host, levels) and a set of engines: only what ran on the
 * same machine is compared, and a figure has no holes. A case is a guest program in a setting: a workload with its
 * parameters. A series holds one engine's seeds.
 */
import {
  baselineEngine,
  pageSizeWords,
  type PointKey,
  type PointRow,
  type ResultRows,
  type WalkRow,
} from "../bench/results/result.ts";

export interface Series {
  readonly engine: string;
  /** One row per seed. */
  readonly points: readonly PointRow[];
  readonly walks: readonly WalkRow[];
}

export interface Case {
  /** The workload, what its kernel does that others do not, and of its parameters those that tell it from its neighbours. */
  readonly label: string;
  readonly workload: string;
  /** Those parameters that the label names. */
  readonly told: PointKey["params"];
  /** What a reader must know, such as "user-only: its update rate is a lower bound"; mostly empty. */
  readonly note: string;
  /** In the order of `Setting.engines`; an engine that did not run is left out. */
  readonly series: readonly Series[];
}

export interface Setting {
  readonly title: string;
  /** False where the guest's pages are larger than the host's: bare metal keeps them, a virtual machine cannot. */
  readonly isComparable: boolean;
  /** For file names: what tells this setting from the first, which has none. */
  readonly slug: string;
  /** In order of first appearance in the results, which is the order of the sweep. */
  readonly engines: readonly string[];
  readonly cases: readonly Case[];
}

/** Cases of few engines stand apart from the rest, but not in more groups than a reader can follow. */
const groupsMax = 3;
const groupCasesMin = 2;

/** Compares the measured region; the setting with most runs of programs comes first, however many engines it has. */
export function arrange({ points, walks }: ResultRows): Setting[] {
  const measured = points.filter(({ region }) => region === "measured");
  const measuredWalks = Map.groupBy(
    walks.filter(({ region }) => region === "measured"),
    ({ key }) => key.id,
  );
  const engines = [...new Set(measured.map(({ key }) => key.engine))];
  return [...Map.groupBy(measured, ({ key }) => machineOf(key).title)]
    .toSorted(([, a], [, b]) => runsOf(b) - runsOf(a) || b.length - a.length)
    .flatMap(([title, rows], index) => {
      const [first] = rows;
      const isComparable = first === undefined || machineOf(first.key).isComparable;
      const slug = index === 0 || first === undefined ? "" : machineOf(first.key).slug;
      const name = { title, slug, isComparable };
      return settingsOf(name, casesOf(rows, engines, measuredWalks), engines);
    });
}

/** Programs of a sweep, each seed for itself. */
function runsOf(rows: readonly PointRow[]): number {
  const runs = rows.map(({ key }) => JSON.stringify([key.workload, key.params, key.seed]));
  return new Set(runs).size;
}

/** The most seeds that any engine ran in any case. */
export function seedsMax({ cases }: Setting): number {
  return Math.max(...cases.flatMap(({ series }) => series.map(({ points }) => points.length)));
}

type Name = Pick<Setting, "title" | "slug" | "isComparable">;

/** The page size that a program asks its kernel for; one that asks for nothing has small pages. */
export function guestPageSize({ params }: Pick<PointKey, "params">): "4k" | "2m" {
  return params["pageSize"] === "2m" ? "2m" : "4k";
}

function machineOf(key: PointKey): Name {
  const { preset, backing, guestLevels, nestedLevels } = key;
  const guest = guestPageSize(key);
  const pages = `${pageSizeWords[guest]} guest pages on ${pageSizeWords[backing]} host pages`;
  const large = guest === "4k" ? "" : `-guest-${guest}`;
  return {
    title: `${preset}, ${pages}, ${guestLevels}-on-${nestedLevels} levels`,
    slug: `${preset}-${backing}-${guestLevels}on${nestedLevels}${large}`,
    isComparable: guest === "4k" || backing !== "4k",
  };
}

/** Cases by the engines that ran them: the largest group first, stragglers with it. */
function settingsOf(machine: Name, cases: readonly Case[], engines: readonly string[]): Setting[] {
  const enginesOf = ({ series }: Case) => series.map(({ engine }) => engine).join(" ");
  const groups = [...Map.groupBy(cases, enginesOf).values()].toSorted(
    (a, b) => b.length - a.length,
  );
  const apart = groups.slice(1, groupsMax).filter(({ length }) => length >= groupCasesMin);
  const together = cases.filter((one) => !apart.some((group) => group.includes(one)));
  return [together, ...apart].map((group, index) => {
    const names = engines.filter((engine) =>
      group.some(({ series }) => series.some((one) => one.engine === engine)),
    );
    const common = { engines: names, cases: labelled(group) };
    if (index === 0) return { ...machine, ...common };
    const others = names.filter((engine) => engine !== baselineEngine);
    const { words, slug } = groupName(others, index);
    const parts = [machine.slug, slug].filter((part) => part !== "");
    return { ...machine, title: `${machine.title}, ${words}`, slug: parts.join("-"), ...common };
  });
}

/** Engines that a title names one by one; a file's name has an end, and so has patience. */
const namedMax = 8;

function groupName(engines: readonly string[], index: number) {
  if (engines.length <= namedMax) {
    return { words: `only ${engines.join(", ")}`, slug: ["only", ...engines].join("-") };
  }
  const count = `${engines.length} engines`;
  return { words: `programs of ${count} (group ${index + 1})`, slug: `group-${index + 1}` };
}

function casesOf(
  rows: readonly PointRow[],
  engines: readonly string[],
  walks: ReadonlyMap<number, readonly WalkRow[]>,
): Case[] {
  const byWorkload = Map.groupBy(rows, ({ key }) => key.workload);
  return [...byWorkload].flatMap(([workload, ofWorkload]) => {
    const byParams = Map.groupBy(ofWorkload, ({ key }) => JSON.stringify(key.params));
    return [...byParams.values()].map((ofCase) => ({
      label: workload,
      workload,
      told: {},
      note: ofCase.find(({ label }) => label !== "")?.label ?? "",
      series: seriesOf(ofCase, engines, walks),
    }));
  });
}

/** Names for the cases of one setting: what tells them from each other there. */
function labelled(cases: readonly Case[]): Case[] {
  const keyOf = ({ series }: Case) => series[0]?.points[0]?.key;
  return cases.map((one) => {
    const key = keyOf(one);
    if (key === undefined) return one;
    const neighbours = cases.filter(({ workload }) => workload === one.workload);
    const names = tellingParams(neighbours.map((other) => plainParams(keyOf(other)?.params ?? {})));
    const words = [...switchWords(key.params), ...paramTexts(key.params, names)];
    return {
      ...one,
      label: [one.workload, ...words].join(" "),
      told: toldParams(key.params, names),
    };
  });
}

function seriesOf(
  rows: readonly PointRow[],
  engines: readonly string[],
  walks: ReadonlyMap<number, readonly WalkRow[]>,
): Series[] {
  return engines.flatMap((engine) => {
    const points = rows.filter(({ key }) => key.engine === engine);
    if (points.length === 0) return [];
    return [{ engine, points, walks: points.flatMap(({ key }) => walks.get(key.id) ?? []) }];
  });
}

/** Parameters that stand in a label by a word, always and only where they are not as usual. */
const wordOf: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  kpti: { 1: "KPTI" },
  pcid: { 0: "no-PCID" },
  usedMemory: { 0: "cold-host" },
  // The setting's title has it.
  pageSize: {},
};

/** What a program's kernel or machine does that the usual one does not. */
export function switchWords(params: PointKey["params"]): string[] {
  return Object.entries(wordOf).flatMap(([name, words]) => {
    const word = words[String(params[name])];
    return word === undefined ? [] : [word];
  });
}

function plainParams(params: PointKey["params"]): PointKey["params"] {
  return Object.fromEntries(Object.entries(params).filter(([name]) => !(name in wordOf)));
}

/** Words in names of parameters that say how long a program runs, not what it is. */
const lengthWords = /accesses|calls|forks|lookups|ops|requests|rounds|switches/i;

/** The fewest parameters that tell these apart; how long a program runs is left out first. */
function tellingParams(cases: readonly PointKey["params"][]): string[] {
  const all = [...new Set(cases.flatMap((params) => Object.keys(params)))];
  const countTold = (names: readonly string[]) =>
    new Set(cases.map((params) => JSON.stringify(names.map((name) => params[name] ?? null)))).size;
  const isTold = (names: readonly string[]) => countTold(names) === countTold(all);
  const byInterest = all.toSorted(
    (a, b) => Number(lengthWords.test(b)) - Number(lengthWords.test(a)),
  );
  let kept: readonly string[] = all;
  for (const name of byInterest) {
    const without = kept.filter((other) => other !== name);
    if (isTold(without)) kept = without;
  }
  return [...kept];
}

function toldParams(params: PointKey["params"], names: readonly string[]): PointKey["params"] {
  return Object.fromEntries(Object.entries(params).filter(([name]) => names.includes(name)));
}

/** `pages=64` for a number, the bare word for a word such as `2m`. */
function paramTexts(params: PointKey["params"], names: readonly string[]): string[] {
  const values = names.map((name) => [name, params[name]] as const);
  const numbers = values.filter(([, value]) => typeof value === "number");
  const words = values.filter(([, value]) => typeof value === "string");
  return [
    ...numbers.map(([name, value]) => `${name}=${value}`),
    ...words.map(([, word]) => `${word}`),
  ];
}
