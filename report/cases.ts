/**
 * Rows arranged for comparison: settings, in them cases, in a case one series per engine.
 *
 * A setting is a machine (preset, host page size, levels): engines are compared only within one. A case is a
 * guest program in a setting: a workload with its parameters. A series holds one engine's seeds.
 */
import { type PointKey, type PointRow, type ResultRows, type WalkRow } from "../bench/result.ts";

export interface Series {
  readonly engine: string;
  /** One row per seed. */
  readonly points: readonly PointRow[];
  readonly walks: readonly WalkRow[];
}

export interface Case {
  /** The workload, and of its parameters those that tell it from its neighbours. */
  readonly label: string;
  readonly workload: string;
  /** What a reader must know, such as "user-only: its update rate is a lower bound"; mostly empty. */
  readonly note: string;
  /** In the order of `Setting.engines`; an engine that did not run is left out. */
  readonly series: readonly Series[];
}

export interface Setting {
  readonly title: string;
  /** For file names: what tells this setting from the others, in lower case. */
  readonly slug: string;
  /** In order of first appearance in the results, which is the order of the sweep. */
  readonly engines: readonly string[];
  readonly cases: readonly Case[];
}

/** Compares the measured region; the setting with most points comes first. */
export function arrange({ points, walks }: ResultRows): Setting[] {
  const measured = points.filter(({ region }) => region === "measured");
  const measuredWalks = Map.groupBy(
    walks.filter(({ region }) => region === "measured"),
    ({ key }) => key.id,
  );
  const engines = [...new Set(measured.map(({ key }) => key.engine))];
  return [...Map.groupBy(measured, ({ key }) => settingTitle(key))]
    .toSorted(([, a], [, b]) => b.length - a.length)
    .map(([title, rows]) => ({
      title,
      slug: title.replaceAll(/[^a-z0-9]+/gi, "-").toLowerCase(),
      engines: engines.filter((engine) => rows.some(({ key }) => key.engine === engine)),
      cases: casesOf(rows, engines, measuredWalks),
    }));
}

/** The most seeds that any engine ran in any case. */
export function seedsMax({ cases }: Setting): number {
  return Math.max(...cases.flatMap(({ series }) => series.map(({ points }) => points.length)));
}

function settingTitle({ preset, backing, guestLevels, nestedLevels }: PointKey): string {
  return `${preset}, ${backing === "4k" ? "4 KiB" : "2 MiB"} host pages, ${guestLevels}-on-${nestedLevels} levels`;
}

function casesOf(
  rows: readonly PointRow[],
  engines: readonly string[],
  walks: ReadonlyMap<number, readonly WalkRow[]>,
): Case[] {
  const byWorkload = Map.groupBy(rows, ({ key }) => key.workload);
  return [...byWorkload].flatMap(([workload, ofWorkload]) => {
    const varying = varyingParams(ofWorkload);
    return [...Map.groupBy(ofWorkload, ({ key }) => JSON.stringify(key.params))].map(
      ([, ofCase]) => ({
        label: [workload, ...paramTexts(ofCase, varying)].join(" "),
        workload,
        note: ofCase.find(({ label }) => label !== "")?.label ?? "",
        series: seriesOf(ofCase, engines, walks),
      }),
    );
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

/** Parameters that differ between the rows of one workload. */
function varyingParams(rows: readonly PointRow[]): string[] {
  const names = new Set(rows.flatMap(({ key }) => Object.keys(key.params)));
  return [...names].filter((name) => new Set(rows.map(({ key }) => key.params[name])).size > 1);
}

function paramTexts([first]: readonly PointRow[], names: readonly string[]): string[] {
  return names.map((name) => `${name}=${first?.key.params[name] ?? ""}`);
}
