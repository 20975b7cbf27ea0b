/**
 * The charts of a sweep behind pickers: which machine, which programs, which engines.
 *
 * The figures are those of the registry, made from fewer rows; a new chart appears here by itself.
 */
import type { TopLevelSpec } from "vega-lite";
import { baselineEngine, type ResultRows } from "../../../bench/results/result.ts";
import { arrange, type Setting } from "../../cases.ts";
import type { Chart } from "../../chart.ts";
import { charts } from "../../charts/index.ts";
import { choice, element, labelled } from "./dom.ts";
import { draw } from "./draw.ts";
import { overview } from "./overview.ts";

const all = "";

/** Returns what draws the section again. */
export function chartSection(place: HTMLElement, rows: ResultRows): () => Promise<void> {
  const settings = arrange(rows);
  const engines = [...new Set(settings.flatMap((setting) => setting.engines))];
  const redraw = () => void drawAll();
  const machine = choice(
    "Machine",
    settings.map(({ title }, index) => [String(index), title]),
    () => {
      fillPrograms();
      redraw();
    },
  );
  const programs = element("select", {});
  programs.addEventListener("change", redraw);
  const boxes = new Map(
    engines
      .filter((engine) => engine !== baselineEngine)
      .map((engine) => {
        const box = element("input", { type: "checkbox", checked: true, value: engine });
        box.addEventListener("change", redraw);
        return [engine, box] as const;
      }),
  );
  const settingNow = () => settings[Number(machine.value())];
  const fillPrograms = () => {
    const cases = settingNow()?.cases ?? [];
    programs.replaceChildren(
      element("option", { value: all }, `all ${cases.length}`),
      ...cases.map(({ label }, index) => element("option", { value: index }, label)),
    );
  };
  fillPrograms();

  const message = element("p", { class: "note", role: "status" });
  const names = ["overview", ...Object.keys(charts)];
  const figures = new Map(
    names.map((name) => [name, element("figure", { class: "chart", "data-chart": name })] as const),
  );
  place.append(
    element(
      "div",
      { class: "pickers" },
      machine.field,
      labelled("Program", programs),
      element(
        "fieldset",
        {},
        element("legend", {}, "Engines"),
        ...[...boxes].map(([engine, box]) => element("label", {}, box, ` ${engine}`)),
      ),
    ),
    message,
    ...figures.values(),
  );

  let turn = 0;
  async function drawAll(): Promise<void> {
    turn += 1;
    const mine = turn;
    const whole = settingNow();
    if (whole === undefined) return;
    const setting = picked(whole, programs.value, (engine) => boxes.get(engine)?.checked ?? true);
    const isEmpty = setting.cases.length === 0;
    message.textContent = isEmpty ? "No engine is picked." : "";
    for (const [name, figure] of figures) {
      const spec = isEmpty ? null : specOf(name, setting, { engines, width: figure.clientWidth });
      figure.hidden = spec === null;
      // A hidden figure has no width, so the overview is made again once it shows.
      if (spec !== null) {
        const again = specOf(name, setting, { engines, width: figure.clientWidth - 40 });
        await draw(figure, again ?? spec);
      }
      // Another choice was made meanwhile, and its drawing has begun.
      if (turn !== mine) return;
    }
  }
  return drawAll;
}

function specOf(
  name: string,
  setting: Setting,
  options: { readonly engines: readonly string[]; readonly width: number },
): TopLevelSpec | null {
  if (name === "overview") return overview(setting, options);
  const registry: Readonly<Record<string, Chart>> = charts;
  return registry[name]?.spec(setting) ?? null;
}

function picked(setting: Setting, program: string, isShown: (engine: string) => boolean): Setting {
  const engines = setting.engines.filter(isShown);
  const cases = setting.cases
    .filter((_, index) => program === all || index === Number(program))
    .map((one) => ({ ...one, series: one.series.filter(({ engine }) => isShown(engine)) }))
    .filter(({ series }) => series.some(({ engine }) => engine !== baselineEngine));
  return { ...setting, engines, cases };
}
