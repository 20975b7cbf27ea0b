/**
 * One waterfall instead of all of a figure's: a program to choose, and a slider over what differs between panels.
 */
import type { TopLevelSpec } from "vega-lite";
import { choice, element, labelled } from "./dom.ts";
import { drawInto, type ChartPlace } from "./draw.ts";

/** The parts of the spec that `report/charts/waterfall.ts` makes and this needs. */
interface WaterfallSpec {
  readonly vconcat: readonly WaterfallRow[];
}
interface Bar {
  readonly column: string;
  /** Ends of the axis, marked by points that nobody sees. */
  readonly low: number;
  readonly high: number;
}
interface WaterfallRow {
  readonly title: { readonly text: string };
  readonly data: { readonly values: readonly Bar[] };
  readonly columns: number;
  readonly facet: { readonly sort: readonly string[] };
}

const chosen = new Map<string, { row: number; column: number }>();

/** Null when the figure is no waterfall of several panels. */
export function waterfallPicker(place: HTMLElement, spec: TopLevelSpec): Promise<void> | null {
  if (!isWaterfall(spec)) return null;
  const name = place.dataset["figure"] ?? "";
  const middle = Math.floor((columnsOf(spec.vconcat[0]).length - 1) / 2);
  const now = chosen.get(name) ?? { row: 0, column: middle };
  chosen.set(name, now);
  const rows = spec.vconcat;
  const stage: ChartPlace = { figure: place, stage: element("div", {}) };
  const program = choice(
    "Program",
    rows.map(({ title }, index) => [String(index), title.text]),
    () => void show(),
  );
  program.choose(String(now.row));
  const slider = element("input", { type: "range", min: 0, step: 1 });
  const state = element("output", {});
  slider.addEventListener("input", () => void show());
  place.replaceChildren(
    element("div", { class: "pickers" }, program.field, labelled("Variant", slider), state),
    stage.stage,
  );
  slider.max = String(columnsOf(rows[now.row]).length - 1);
  slider.value = String(now.column);
  return show();

  function show(): Promise<void> {
    now.row = Number(program.value());
    const row = rows[now.row];
    const columns = columnsOf(row);
    slider.max = String(columns.length - 1);
    now.column = Math.min(Number(slider.value), columns.length - 1);
    const column = columns[now.column] ?? "";
    state.textContent = column;
    slider.setAttribute("aria-valuetext", column);
    const one = {
      ...row,
      columns: 1,
      data: { values: barsOf(row?.data.values ?? [], column) },
    };
    return drawInto(stage, { ...spec, vconcat: [one] } as TopLevelSpec);
  }
}

/** On the axis of all variants, so that the slider changes bars and not the scale. */
function barsOf(all: readonly Bar[], column: string): Bar[] {
  const low = Math.min(...all.map((bar) => bar.low));
  const high = Math.max(...all.map((bar) => bar.high));
  return all.filter((bar) => bar.column === column).map((bar) => ({ ...bar, low, high }));
}

function columnsOf(row: WaterfallRow | undefined): readonly string[] {
  return row?.facet.sort ?? [];
}

function isWaterfall(spec: TopLevelSpec): spec is TopLevelSpec & WaterfallSpec {
  const { usermeta } = spec as { readonly usermeta?: { readonly kind?: unknown } };
  return usermeta?.kind === "waterfall";
}
