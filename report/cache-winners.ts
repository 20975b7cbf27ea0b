/**
 * Which winners change with the data caches: programs that ran on a processor with them and on the same one without.
 */
import type { PointKey, PointRow } from "../bench/results/result.ts";
import { arrange } from "./cases.ts";
import { countWins, type Families, type Wins } from "./means.ts";

/** Two presets of one processor. */
interface CachePair {
  readonly without: string;
  readonly caches: string;
}

type Winner = keyof Wins;
const words = { shadow: "shadow paging", nested: "nested paging", draws: "a draw" } as const;

interface CacheWinners {
  readonly compared: number;
  readonly changed: readonly {
    readonly workload: string;
    readonly backing: string;
    readonly without: Winner;
    readonly caches: Winner;
  }[];
}

/** The runs that both processors have: program, parameters, page sizes, levels, scheme and seed are the same. */
export function cacheWinners(
  points: readonly PointRow[],
  { without, caches }: CachePair,
  families: Families,
): CacheWinners {
  const measured = points.filter(({ region }) => region === "measured");
  const on = measured.filter(({ key }) => key.preset === caches);
  const runs = new Set(on.map(({ key }) => runOf(key)));
  const off = measured.filter(({ key }) => key.preset === without && runs.has(runOf(key)));
  const programs = Map.groupBy(on, ({ key }) => programOf(key));
  const offPrograms = Map.groupBy(off, ({ key }) => programOf(key));
  const both = [...programs].flatMap(([program, rows]) => {
    const before = winnerOf(offPrograms.get(program) ?? [], families);
    const after = winnerOf(rows, families);
    const [first] = rows;
    if (before === null || after === null || first === undefined) return [];
    const { workload, backing } = first.key;
    return [{ workload, backing, without: before, caches: after }];
  });
  return { compared: both.length, changed: both.filter((one) => one.without !== one.caches) };
}

/** One line for a terminal; null where nothing ran on both. */
export function cacheWinnersText(pair: CachePair, found: CacheWinners): string | null {
  const { compared, changed } = found;
  if (compared === 0) return null;
  const which = changed.map(
    (one) =>
      `${one.workload} on ${one.backing} host pages (${words[one.without]} to ${words[one.caches]})`,
  );
  return (
    `of ${compared} winners ${changed.length} ${changed.length === 1 ? "changes" : "change"} with the data caches (${pair.without} to ${pair.caches})` +
    (which.length === 0 ? "" : `: ${which.join(", ")}`)
  );
}

function programOf({ workload, params, backing, guestLevels, nestedLevels }: PointKey): string {
  return JSON.stringify([workload, params, backing, guestLevels, nestedLevels]);
}

function runOf(key: PointKey): string {
  return JSON.stringify([programOf(key), key.engine, key.seed]);
}

/** Of one program's rows; null where its pages cannot be compared or a family did not run. */
function winnerOf(rows: readonly PointRow[], families: Families): Winner | null {
  const [setting] = arrange({ points: rows, walks: [] });
  if (setting === undefined || !setting.isComparable) return null;
  const wins = countWins(setting, "slowdown", families);
  if (wins === null) return null;
  return (["shadow", "nested", "draws"] as const).find((one) => wins[one] > 0) ?? null;
}
