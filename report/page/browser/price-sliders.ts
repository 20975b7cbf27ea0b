/**
 * A slider per price, and buttons for questions that people ask.
 */
import type { CostModel } from "../../../bench/costs/cost.ts";
import { figure } from "../../format.ts";
import { button, element } from "./dom.ts";
import { type Knob, type KnobName, knobNames, knobs } from "./knobs.ts";
import type { Factors } from "./prices.ts";

const questions: readonly (readonly [text: string, factors: Factors])[] = [
  ["Prices of the cost file", {}],
  ["Free exits", { exit: 0 }],
  ["Exits of 2005: three times as dear", { exit: 3, software: 3 }],
  ["References that miss every cache", { reference: 8 }],
];

export interface PriceSliders {
  readonly field: HTMLElement;
  /** By which each price differs from the cost file now. */
  readonly factors: () => Factors;
  /** Starts from the prices of this cost file, those of `cycles` moved away from it. */
  readonly start: (cost: CostModel, cycles?: (name: KnobName) => string | undefined) => void;
  /** Cycles of the prices that were moved, for the address. */
  readonly moved: () => Readonly<Partial<Record<KnobName, string>>>;
}

export function priceSliders(onChange: () => void): PriceSliders {
  let from: CostModel | null = null;
  const sliders = knobNames.map((name) => oneSlider(name, knobs[name], onChange));
  const field = element(
    "div",
    { class: "prices" },
    ...sliders.map((slider) => slider.field),
    element(
      "div",
      { class: "pickers" },
      ...questions.map(([text, factors]) =>
        button(text, () => {
          for (const { name, set, original } of sliders) set(original() * (factors[name] ?? 1));
          onChange();
        }),
      ),
    ),
  );
  return {
    field,
    factors: () =>
      Object.fromEntries(
        sliders.map(({ name, value, original }) => [name, value() / Math.max(1, original())]),
      ),
    start: (cost, cycles = () => undefined) => {
      from = cost;
      for (const slider of sliders) {
        slider.start(knobs[slider.name].cyclesOf(from));
        const wanted = Number(cycles(slider.name) ?? Number.NaN);
        if (wanted >= 0) slider.set(wanted);
      }
    },
    moved: () =>
      Object.fromEntries(
        sliders
          .filter(({ value, original }) => value() !== original())
          .map(({ name, value }) => [name, String(value())]),
      ),
  };
}

function oneSlider(name: KnobName, { name: title, about, max }: Knob, onChange: () => void) {
  let original = 0;
  const id = `price-${name}`;
  const input = element("input", { type: "range", min: 0, max, step: "any", id });
  const output = element("output", { for: id });
  const value = () => Number(input.value);
  const show = () => {
    const cycles = figure(Math.round(value()));
    output.textContent =
      Math.round(value()) === Math.round(original)
        ? `${cycles} cycles`
        : `${cycles} cycles, was ${figure(original)}`;
    input.setAttribute("aria-valuetext", `${cycles} cycles`);
  };
  const set = (cycles: number) => {
    input.value = String(cycles);
    show();
  };
  input.addEventListener("input", () => {
    // Whole cycles, but the file's own number may have a fraction.
    const isNear = Math.abs(value() - original) < max / 400;
    set(isNear ? original : Math.round(value()));
    onChange();
  });
  const field = element(
    "div",
    { class: "price" },
    element("label", { for: id }, element("b", {}, title), " ", output),
    input,
    element("span", { class: "quiet" }, about),
  );
  return {
    name,
    field,
    value,
    set,
    original: () => original,
    start: (cycles: number) => {
      original = cycles;
      input.max = String(Math.max(max, 4 * cycles));
      set(cycles);
    },
  };
}
