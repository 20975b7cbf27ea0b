/**
 * Prices under the reader's hand: the frontier's line moves and programs change their winner while a slider is drawn.
 */
import type { CostModel } from "../../../bench/costs/cost.ts";
import type { ResultRows } from "../../../bench/results/result.ts";
import { arrange, type Setting } from "../../cases.ts";
import { short } from "../../format.ts";
import { geometricMean } from "../../../bench/results/figures.ts";
import { pairOf } from "../../story.ts";
import { sectionState } from "./address.ts";
import { choice, element, scrollBox } from "./dom.ts";
import { frontierPicture } from "./frontier-picture.ts";
import { priceSliders } from "./price-sliders.ts";
import type { Prices } from "./prices.ts";
import { type RacedProgram, racedPrograms, slopeOf } from "./race-rows.ts";

/** Does nothing where no shadow scheme ran beside a nested one. */
export function priceSection(
  place: HTMLElement,
  prices: Prices,
  costs: Readonly<Record<string, CostModel>>,
): void {
  const raced = (rows: ResultRows) => arrange(rows).filter((one) => pairOf(one.engines) !== null);
  const settings = raced(prices.measured());
  const before = settings.map(programsOf);
  if (settings.length === 0) return;
  const state = sectionState("frontier");
  const machine = choice(
    "Machine",
    settings.map(({ title }, index) => [String(index), title]),
    () => {
      start();
      change();
    },
  );
  machine.choose(state.get("machine"));
  const sliders = priceSliders(change);
  const status = element("p", { class: "verdict", role: "status" });
  const picture = element("figure", {});
  const table = element("div", {});
  place.append(
    element("div", { class: "pickers" }, machine.field),
    sliders.field,
    status,
    element("div", { class: "frontier" }, picture, scrollBox("Winners", table)),
  );
  start((name) => state.get(name));
  if (Object.keys(sliders.moved()).length > 0) prices.set(sliders.factors());
  show();
  prices.onChange(show);
  window.addEventListener("resize", show);

  function start(cycles?: Parameters<typeof sliders.start>[1]): void {
    const row = settings[Number(machine.value())]?.cases[0]?.series[0]?.points[0];
    const cost = costs[row?.cost ?? ""];
    if (cost !== undefined) sliders.start(cost, cycles);
  }

  function change(): void {
    prices.set(sliders.factors());
    const index = machine.value();
    state.set({ machine: index === "0" ? undefined : index, ...sliders.moved() });
  }

  function show(): void {
    const index = Number(machine.value());
    const rows = prices.measured();
    const setting = raced(rows)[index];
    const old = before[index];
    if (setting === undefined || old === undefined) return;
    const now = programsOf(setting);
    const width = Math.min(620, picture.parentElement?.clientWidth ?? 620);
    picture.replaceChildren(frontierPicture({ programs: now, slope: slopeOf(now), width }));
    table.replaceChildren(winnersTable(now, old));
    status.textContent = statusText(now, old, rows);
  }
}

/** In an order that prices do not change, so that a number stays with its program. */
function programsOf(setting: Setting): RacedProgram[] {
  const pair = pairOf(setting.engines);
  return pair === null ? [] : racedPrograms(setting, pair);
}

function statusText(
  now: readonly RacedProgram[],
  before: readonly RacedProgram[],
  { points }: ResultRows,
): string {
  const headline = now.filter(({ isHeadline }) => isHeadline);
  const mean = (valueOf: (one: RacedProgram) => number) =>
    short(geometricMean(headline.map(valueOf)));
  const wins = (winner: string) => now.filter((one) => one.winner === winner).length;
  const changed = now.filter(({ winner }, index) => winner !== before[index]?.winner).length;
  const moved = changed === 1 ? "1 winner has changed" : `${changed} winners have changed`;
  const counted = new Set(points.map(({ key }) => key.id)).size;
  return (
    `Slowdown over bare metal, geometric mean of ${headline.length} programs: nested ${mean((one) => one.nested)}, ` +
    `shadow ${mean((one) => one.shadow)}. Of ${now.length} rows nested wins ${wins("nested")}, shadow ${wins("shadow")}; ` +
    `${changed === 0 ? "no winner has changed" : moved}. ${counted} points priced.`
  );
}

function winnersTable(
  now: readonly RacedProgram[],
  before: readonly RacedProgram[],
): HTMLTableElement {
  const head = ["disc", "program", "shadow", "nested", "winner"].map((name, index) =>
    element("th", { scope: "col", class: index === 2 || index === 3 ? "number" : "" }, name),
  );
  return element(
    "table",
    { class: "winners" },
    element("thead", {}, element("tr", {}, ...head)),
    element(
      "tbody",
      {},
      ...now.map(({ name, shadow, nested, winner }, index) => {
        const old = before[index]?.winner ?? winner;
        return element(
          "tr",
          { class: `${winner}${old === winner ? "" : " changed"}` },
          element("td", { class: "number" }, String(index + 1)),
          element("th", { scope: "row" }, name),
          element("td", { class: "number" }, short(shadow)),
          element("td", { class: "number" }, short(nested)),
          element("td", { class: "winner" }, old === winner ? winner : `${winner}, was ${old}`),
        );
      }),
    ),
  );
}
