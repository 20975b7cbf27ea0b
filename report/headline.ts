/**
 * The table that stands for a whole sweep: slowdown by program, scheme and page size, as Markdown.
 *
 * Rows are the programs of the first setting's processor, columns the schemes on small guest pages and large host
 * pages, then the two that matter most at the other sizes. What is no headline program stands below the line and out of
 * the means.
 */
import { baselineEngine, pageSizeWords, type PointRow } from "../bench/results/result.ts";
import { arrange, type Case, guestPageSize, type Setting } from "./cases.ts";
import { short } from "./format.ts";
import { headlineCases, headlineSettings, switchesOf } from "./headline-programs.ts";
import { scoreCase } from "./score.ts";
import { markdownTable } from "./markdown-table.ts";
import { geometricMean } from "../bench/results/figures.ts";

/** The schemes whose figures stand for their kind at every size. */
const everywhere: readonly string[] = ["shadow-lazy", "ept"];

interface Column {
  readonly title: string;
  readonly engine: string;
  readonly setting: Setting;
}

/** Empty where the results hold no comparison at the first of the sizes. */
export function headlineTable(points: readonly PointRow[]): string {
  const settings = arrange({ points, walks: [] });
  const found = headlineSettings(settings);
  const [main] = found;
  if (main === undefined) return "";
  const columns = found.flatMap((setting, index) => columnsOf(setting, index === 0));
  const programs = headlineCases(main);
  const others = main.cases.filter((one) => !programs.includes(one));
  const head = ["program", ...columns.map(({ title }) => title)];
  const rows = [
    ...programs.map((one) => rowOf(one, columns)),
    [
      `**geometric mean, ${programs.length === 1 ? "1 program" : `${programs.length} programs`}**`,
      ...columns.map((column) => meanText(programs, column)),
    ],
    ...others.map((one) => rowOf(one, columns)),
  ];
  return [...markdownTable(head, rows, "right"), ""].join("\n");
}

function columnsOf(setting: Setting, isMain: boolean): Column[] {
  const [point] = setting.cases[0]?.series[0]?.points ?? [];
  if (point === undefined) return [];
  const size = `${pageSizeWords[guestPageSize(point.key)]} on ${pageSizeWords[point.key.backing]}`;
  return setting.engines
    .filter((engine) => engine !== baselineEngine && (isMain || everywhere.includes(engine)))
    .map((engine) => ({ engine, setting, title: `${engine}, ${size}` }));
}

/** The same program in another setting: its label without what tells it from others of the same name. */
function valueOf(one: Case, { engine, setting }: Column): number | null {
  const twins = setting.cases.filter(
    (other) => other.workload === one.workload && switchesOf(other) === switchesOf(one),
  );
  const twin = twins.find(({ label }) => label === one.label) ?? twins[0];
  if (twin === undefined) return null;
  return scoreCase(twin, "slowdown").summaries.get(engine)?.median ?? null;
}

function rowOf(one: Case, columns: readonly Column[]): string[] {
  const values = columns.map((column) => valueOf(one, column));
  return [one.label, ...values.map((value) => (value === null ? "–" : short(value)))];
}

/** Of the programs that the column has. */
function meanText(cases: readonly Case[], column: Column): string {
  const values = cases.flatMap((one) => valueOf(one, column) ?? []);
  return values.length === 0 ? "–" : `**${short(geometricMean(values))}**`;
}
