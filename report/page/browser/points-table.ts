/**
 * Every point as a line: sorted by any column, filtered by words, saved as CSV.
 */
import { pageSizeWords, type PointRow, type ResultRows } from "../../../bench/results/result.ts";
import { figure, short } from "../../format.ts";
import { arrange } from "../../cases.ts";
import { programWords } from "../../program-words.ts";
import { button, choice, download, element, labelled, scrollBox } from "./dom.ts";
import { pointsCsv } from "./points-csv.ts";

/** What charts call the program of a point, by its id. */
type ProgramNames = ReadonlyMap<number, string>;

interface Column {
  readonly name: string;
  readonly valueOf: (row: PointRow, words: ProgramNames) => string | number | null;
  /** A ratio keeps its decimals, 1.00 beside 2.01; what was counted has none. */
  readonly isRatio?: true;
}

const per1000 = (count: number, row: PointRow) =>
  (1000 * count) / Math.max(1, row.counters.accesses);

const columns: readonly Column[] = [
  {
    name: "program",
    valueOf: ({ key }, words) => words.get(key.id) ?? key.workload,
  },
  { name: "engine", valueOf: ({ key }) => key.engine },
  { name: "processor", valueOf: ({ key }) => key.preset },
  { name: "host pages", valueOf: ({ key }) => pageSizeWords[key.backing] },
  { name: "slowdown", valueOf: ({ slowdown }) => slowdown, isRatio: true },
  {
    name: "cycles per access",
    valueOf: (row) => row.cyclesTotal / Math.max(1, row.counters.accesses),
    isRatio: true,
  },
  { name: "exits per 1000", valueOf: (row) => per1000(row.counters.exits, row), isRatio: true },
  {
    name: "misses per 1000",
    valueOf: (row) => per1000(row.counters.stlbMisses, row),
    isRatio: true,
  },
  {
    name: "references per walk",
    valueOf: ({ counters }) =>
      (counters.walkReferencesGuest + counters.walkReferencesNested) / Math.max(1, counters.walks),
    isRatio: true,
  },
  { name: "accesses", valueOf: ({ counters }) => counters.accesses },
  { name: "exits", valueOf: ({ counters }) => counters.exits },
  { name: "levels", valueOf: ({ key }) => `${key.guestLevels}-on-${key.nestedLevels}` },
  { name: "seed", valueOf: ({ key }) => key.seed },
  { name: "region", valueOf: ({ region }) => region },
  { name: "id", valueOf: ({ key }) => key.id },
];

/** As many as a screen holds; a browser stumbles over thousands. */
const linesMax = 25;

/** Program, engine, processor, host pages: without them no other cell says anything. */
const frozenColumns = 4;

/** Returns what fills the table again from the rows as they are then. */
export function pointsTable(place: HTMLElement, rowsNow: () => ResultRows): () => void {
  const names = namesOf(rowsNow());
  let sortedBy = 0;
  let isDescending = false;
  let limit = linesMax;
  const filter = element("input", { type: "search", placeholder: "engine, workload, ..." });
  const regions = [...new Set(rowsNow().points.map(({ region }) => region))].toSorted();
  const region = choice(
    "Region",
    [...regions.map((name) => [name, name] as const), ["", "all"]],
    () => show(),
  );
  const count = element("span", { role: "status", class: "quiet" });
  const body = element("tbody", {});
  const heads = columns.map(({ name }, index) =>
    element(
      "th",
      { scope: "col" },
      button(name, () => {
        isDescending = sortedBy === index && !isDescending;
        sortedBy = index;
        show();
      }),
    ),
  );
  const table = element("table", {}, element("thead", {}, element("tr", {}, ...heads)), body);
  freeze(table, heads.slice(0, frozenColumns));
  const more = button("Show all lines", () => {
    limit = Infinity;
    show();
  });
  filter.addEventListener("input", () => show());
  place.append(
    element(
      "div",
      { class: "pickers" },
      labelled("Filter", filter),
      region.field,
      button("Download CSV", () => download("points.csv", "text/csv", pointsCsv(chosen()))),
      count,
    ),
    scrollBox("Points", table),
    more,
  );

  function chosen(): PointRow[] {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const ofRegion = rowsNow().points.filter(
      (row) => region.value() === "" || row.region === region.value(),
    );
    const matching = ofRegion.filter((row) => {
      const text = columns
        .map(({ valueOf }) => String(valueOf(row, names) ?? ""))
        .join(" ")
        .toLowerCase();
      return words.every((word) => text.includes(word));
    });
    const valueOf = columns[sortedBy]?.valueOf ?? (() => null);
    const sorted = matching.toSorted((a, b) => compare(valueOf(a, names), valueOf(b, names)));
    return isDescending ? sorted.toReversed() : sorted;
  }

  function show(): void {
    const lines = chosen();
    heads.forEach((head, index) => {
      const order = isDescending ? "descending" : "ascending";
      head.setAttribute("aria-sort", index === sortedBy ? order : "none");
    });
    body.replaceChildren(...lines.slice(0, limit).map((row) => line(row, names)));
    more.hidden = lines.length <= limit;
    const shown = Math.min(limit, lines.length);
    count.textContent = `${shown} of ${lines.length} lines`;
  }
  show();
  return show;
}

/** Keeps the first columns where they are: each begins where the one before it ends, whatever their words are. */
function freeze(table: HTMLElement, heads: readonly HTMLElement[]): void {
  const watcher = new ResizeObserver(() => {
    let left = 0;
    heads.forEach((head, index) => {
      table.style.setProperty(`--left-${index + 1}`, `${left}px`);
      left += head.getBoundingClientRect().width;
    });
  });
  for (const head of heads) watcher.observe(head);
}

function line(row: PointRow, words: ProgramNames): HTMLTableRowElement {
  return element(
    "tr",
    {},
    ...columns.map(({ valueOf, isRatio = false }) => {
      const value = valueOf(row, words);
      const isNumber = typeof value !== "string";
      const text = typeof value === "number" ? (isRatio ? short : figure)(value) : (value ?? "-");
      return element("td", { class: isNumber ? "number" : "" }, text);
    }),
  );
}

/** Numbers by value, words by letter; a missing value is last. */
function compare(a: string | number | null, b: string | number | null): number {
  if (a === null || b === null) return Number(a === null) - Number(b === null);
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b), "en", { numeric: true });
}

function namesOf(rows: ResultRows): ProgramNames {
  const cases = arrange(rows).flatMap((setting) => setting.cases);
  return new Map(
    cases.flatMap((one) =>
      one.series.flatMap(({ points }) =>
        points.map(({ key }) => [key.id, programWords(one)] as const),
      ),
    ),
  );
}
