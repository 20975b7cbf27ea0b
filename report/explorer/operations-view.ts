/**
 * Operations under several engines side by side, instruction by instruction.
 */
import { type CostModel, price, totalCycles } from "../../bench/costs/cost.ts";
import { button, choice, element, scrollBox } from "../page/browser/dom.ts";
import { costOf } from "./cost-of.ts";
import { happeningCard } from "./happening-card.ts";
import { type Done, type Operation, operations, runOperation } from "./operations.ts";
import { engineNames, nestedNames, presetNames } from "./world.ts";

const shownFirst: ReadonlySet<string> = new Set(["native", "shadow", "shadow-lazy", "ept"]);

interface Column {
  readonly engine: string;
  readonly done: readonly Done[];
}

export function operationsExplorer(
  place: HTMLElement,
  costs: Readonly<Record<string, CostModel>>,
): void {
  const registry: Readonly<Record<string, Operation>> = operations;
  const operation = choice(
    "Operation",
    Object.entries(registry).map(([name, { title }]) => [name, title]),
    run,
  );
  const preset = choice(
    "Processor",
    ["skylake-sp", ...presetNames.filter((name) => name !== "skylake-sp")].map((n) => [n, n]),
    run,
  );
  const boxes = [...engineNames, ...nestedNames].map((engine) => {
    const box = element("input", {
      type: "checkbox",
      value: engine,
      checked: shownFirst.has(engine),
    });
    box.addEventListener("change", run);
    return box;
  });
  const totals = element("div", {});
  const list = element("ol", { class: "instructions" });
  const status = element("p", { class: "step", role: "status" });
  place.append(
    element(
      "div",
      { class: "pickers" },
      operation.field,
      preset.field,
      element(
        "fieldset",
        {},
        element("legend", {}, "Engines"),
        ...boxes.map((box) => element("label", {}, box, ` ${box.value}`)),
      ),
    ),
    element(
      "div",
      { class: "pickers player" },
      button("First", () => goTo(1)),
      button("Back", () => goTo(step - 1)),
      button("Next", () => goTo(step + 1)),
      button("All", () => goTo(Infinity)),
    ),
    status,
    totals,
    list,
  );

  let columns: readonly Column[] = [];
  let step = 1;
  run();

  function chosen(): Operation {
    return registry[operation.value()] ?? operations["pte-store"];
  }

  function run(): void {
    columns = boxes
      .filter((box) => box.checked)
      .map(({ value: engine }) => ({
        engine,
        done: runOperation(chosen(), { engine, preset: preset.value() }),
      }));
    goTo(1);
  }

  function goTo(wanted: number): void {
    const { instructions } = chosen();
    step = Math.max(1, Math.min(instructions.length, wanted));
    status.textContent = `Instruction ${step} of ${instructions.length}: ${instructions[step - 1]?.text ?? ""}.`;
    totals.replaceChildren(
      scrollBox("Totals so far", totalsTable(columns, step, costOf(costs, preset.value()))),
    );
    list.replaceChildren(
      ...instructions.slice(0, step).map(({ text }, index) => {
        const cards = columns.map(({ engine, done }) => {
          const one = done[index];
          return happeningCard(engine, one?.work.exits ?? 0, one?.happenings ?? []);
        });
        const attributes = { class: index === step - 1 ? "now" : "" };
        return element(
          "li",
          attributes,
          element("h3", {}, text),
          element("div", { class: "cards" }, ...cards),
        );
      }),
    );
  }
}

const counted = [
  ["VM exits", ({ work }: Done) => work.exits],
  ["guest #PF", ({ work }: Done) => work.guestPageFaults],
  ["page walks", ({ work }: Done) => work.walks],
  ["walk references", ({ work }: Done) => work.walkReferencesGuest + work.walkReferencesNested],
  ["software walks", ({ work }: Done) => work.softwareWalks],
  ["host faults", ({ work }: Done) => work.hostFaults],
] as const;

/** What the instruction cost, with all that it set off. */
function cyclesOf({ work }: Done, cost: CostModel): number {
  return totalCycles(price(work, 0, cost));
}

function totalsTable(columns: readonly Column[], step: number, cost: CostModel): HTMLElement {
  const sum = (done: readonly Done[], valueOf: (one: Done) => number) =>
    done.slice(0, step).reduce((total, one) => total + valueOf(one), 0);
  return element(
    "table",
    { class: "totals" },
    element("caption", {}, "So far"),
    element(
      "thead",
      {},
      element(
        "tr",
        {},
        element("th", { scope: "col" }, "engine"),
        ...counted.map(([name]) => element("th", { scope: "col", class: "number" }, name)),
        element("th", { scope: "col", class: "number" }, "cycles"),
      ),
    ),
    element(
      "tbody",
      {},
      ...columns.map(({ engine, done }) =>
        element(
          "tr",
          {},
          element("th", { scope: "row" }, engine),
          ...counted.map(([, valueOf]) =>
            element("td", { class: "number" }, String(sum(done, valueOf))),
          ),
          element("td", { class: "number" }, String(sum(done, (one) => cyclesOf(one, cost)))),
        ),
      ),
    ),
  );
}
