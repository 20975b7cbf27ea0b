/**
 * The charts of a sweep behind pickers: which machine, which programs, which engines.
 *
 * The figures are those of the registry, made from fewer rows; a new chart appears here by itself. Two stand open,
 * the others are folded: they say why, and fewer people ask.
 */
import type { TopLevelSpec } from "vega-lite";
import { baselineEngine, type ResultRows } from "../../../bench/results/result.ts";
import { arrange, type Setting } from "../../cases.ts";
import type { Chart } from "../../chart.ts";
import { charts } from "../../charts/index.ts";
import { programWords } from "../../program-words.ts";
import { sectionState } from "./address.ts";
import { choice, element, labelled } from "./dom.ts";
import { draw, roomOf } from "./draw.ts";
import { overview } from "./overview.ts";

const all = "";
const overviewName = "overview";
const open: ReadonlySet<string> = new Set(["slowdown"]);
/** One engine of each family, where they ran; the others differ from these by little. */
const families: readonly string[] = ["shadow", "shadow-vtlb", "shadow-lazy", "ept"];

/** Returns what draws the section again from the rows as they are then. */
export function chartSection(place: HTMLElement, rows: () => ResultRows): () => Promise<void> {
  const settingsNow = () => arrange(rows()).map(inWords);
  const settings = settingsNow();
  const engines = [...new Set(settings.flatMap((setting) => setting.engines))];
  const state = sectionState("charts");
  const redraw = () => {
    state.set({ machine: machine.value() === "0" ? undefined : machine.value() });
    void drawAll();
  };
  const machine = choice(
    "Machine",
    settings.map(({ title }, index) => [String(index), title]),
    () => {
      fillPickers();
      redraw();
    },
  );
  machine.choose(state.get("machine"));
  const programs = element("select", {});
  programs.addEventListener("change", redraw);
  const boxes = new Map(
    engines
      .filter((engine) => engine !== baselineEngine)
      .map((engine) => [engine, engineBox(engine, redraw)] as const),
  );
  const fillPickers = () => {
    const { cases = [], engines: there = [] } = settings[Number(machine.value())] ?? {};
    programs.replaceChildren(
      element("option", { value: all }, `all ${cases.length}`),
      ...cases.map(({ label }, index) => element("option", { value: index }, label)),
    );
    // Where no family ran, whatever ran is shown.
    const isUsual = there.some((engine) => families.includes(engine));
    for (const [engine, { input, label }] of boxes) {
      label.hidden = !there.includes(engine);
      input.checked = !isUsual || families.includes(engine);
    }
  };
  fillPickers();

  const message = element("p", { class: "note", role: "status" });
  const figures = figurePlaces();
  const [usual, others] = [true, false].map((isFamily) =>
    [...boxes].filter(([engine]) => families.includes(engine) === isFamily),
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
        ...(usual ?? []).map(([, { label }]) => label),
        element(
          "details",
          { class: "more" },
          element("summary", {}, "more engines"),
          ...(others ?? []).map(([, { label }]) => label),
        ),
      ),
    ),
    message,
    ...figures.map(({ place: one }) => one),
  );

  let turn = 0;
  async function drawAll(): Promise<void> {
    turn += 1;
    const mine = turn;
    const whole = settingsNow()[Number(machine.value())];
    if (whole === undefined) return;
    const setting = picked(whole, programs.value, (engine) => {
      const box = boxes.get(engine);
      return box === undefined || box.input.checked;
    });
    const isEmpty = setting.cases.length === 0;
    message.textContent = isEmpty ? "No engine is picked." : "";
    for (const { name, figure, place: outer } of figures) {
      const width = roomOf(place);
      const spec = isEmpty ? null : specOf(name, setting, { engines, width });
      outer.hidden = spec === null;
      if (spec !== null) await draw(figure, spec);
      // Another choice was made meanwhile, and its drawing has begun.
      if (turn !== mine) return;
    }
  }
  return drawAll;
}

function engineBox(engine: string, onChange: () => void) {
  const input = element("input", { type: "checkbox", value: engine });
  input.addEventListener("change", onChange);
  return { input, label: element("label", {}, input, ` ${engine}`) };
}

const questionOf: ReadonlyMap<string, string> = new Map([
  ...Object.entries(charts).map(([name, { question }]) => [name, question] as const),
  [overviewName, "Cause and effect: walks and exits against slowdown"],
]);

function figurePlaces() {
  return [...Object.keys(charts), overviewName].map((name) => {
    const figure = element("figure", { class: "chart", "data-chart": name });
    if (open.has(name)) return { name, figure, place: figure };
    const summary = element("summary", {}, questionOf.get(name) ?? name);
    return { name, figure, place: element("details", { class: "folded" }, summary, figure) };
  });
}

/** The same setting, programs called by words; two of one name keep what tells them apart. */
function inWords(setting: Setting): Setting {
  const words = setting.cases.map(programWords);
  const isOnly = (word: string) => words.filter((other) => other === word).length === 1;
  const cases = setting.cases.map((one, index) => {
    const label = words[index] ?? one.label;
    return { ...one, label: isOnly(label) ? label : one.label };
  });
  return { ...setting, cases };
}

function specOf(
  name: string,
  setting: Setting,
  options: { readonly engines: readonly string[]; readonly width: number },
): TopLevelSpec | null {
  if (name === overviewName) return overview(setting, options);
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
