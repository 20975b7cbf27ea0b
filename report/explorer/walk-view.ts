/**
 * The walk explorer: choose a machine and an address, step through the reads of its page walk.
 */
import type { PagingLevels } from "../../machine/address.ts";
import { button, choice, element, scrollBox } from "../page/browser/dom.ts";
import { entryBoxes } from "./entry-bits.ts";
import { readAddress, type ShownWalk, type Warmth, walkOf } from "./walk.ts";
import { walkGrid } from "./walk-grid.ts";
import { engineNames, type PageSize, presetNames } from "./world.ts";

const sizes = [
  ["4k", "4 KiB"],
  ["2m", "2 MiB"],
] as const;
const levels = [
  ["4", "4"],
  ["5", "5"],
] as const;
const warmths = [
  ["nothing", "nothing: cold"],
  ["neighbour", "the walk of the next page"],
  ["page", "this page"],
] as const;

const playMilliseconds = 450;

export function walkExplorer(place: HTMLElement): void {
  const named = (names: readonly string[]) => names.map((name) => [name, name] as const);
  const engine = choice("Engine", named(["ept", ...engineNames.filter((n) => n !== "ept")]), run);
  const preset = choice("Processor", named(presetNames), run);
  const guestLevels = choice("Guest levels", levels, run);
  const nestedLevels = choice("Nested levels", levels, run);
  const pages = choice("Guest pages", sizes, run);
  const backing = choice("Host pages", sizes, run);
  const warmth = choice("Caches know", warmths, run);
  const address = element("input", {
    value: "0x400000",
    spellcheck: "false",
    autocomplete: "off",
    "aria-describedby": "address-problem",
  });
  address.addEventListener("change", run);
  const problem = element("span", { id: "address-problem", class: "problem", role: "alert" });

  const grid = element("div", {});
  const entry = element("div", { class: "entry" });
  const status = element("p", { class: "step", role: "status" });
  const summary = element("p", { class: "claim walk-summary" });
  const slider = element("input", {
    type: "range",
    min: 0,
    value: 0,
    "aria-label": "Step of the walk",
  });
  slider.addEventListener("input", () => goTo(Number(slider.value)));
  const play = button("Play", togglePlay);
  place.append(
    element(
      "div",
      { class: "pickers" },
      engine.field,
      preset.field,
      guestLevels.field,
      nestedLevels.field,
      pages.field,
      backing.field,
      warmth.field,
      element("label", { class: "field" }, element("span", {}, "Address (GVA)"), address),
      problem,
    ),
    summary,
    element(
      "div",
      { class: "pickers player" },
      button("First", () => goTo(0)),
      button("Back", () => goTo(step - 1)),
      button("Next", () => goTo(step + 1)),
      button("Last", () => goTo(walk?.steps.length ?? 0)),
      play,
      slider,
    ),
    status,
    element("div", { class: "walk" }, scrollBox("Walk grid", grid), entry),
  );

  let walk: ShownWalk | null = null;
  /** Reads shown so far. */
  let step = 0;
  let timer = 0;
  run();

  function run(): void {
    const read = readAddress(address.value);
    const isWrong = "problem" in read;
    problem.textContent = isWrong ? `The address ${read.problem}.` : "";
    address.setAttribute("aria-invalid", String(isWrong));
    if (isWrong) return;
    walk = walkOf({
      ...read,
      engine: engine.value(),
      preset: preset.value(),
      guestLevels: depth(guestLevels.value()),
      nestedLevels: depth(nestedLevels.value()),
      pages: size(pages.value()),
      backing: size(backing.value()),
      warmth:
        warmths.find(([name]) => name === warmth.value())?.[0] ?? ("nothing" satisfies Warmth),
    });
    slider.max = String(walk.steps.length);
    summary.replaceChildren(...summaryOf(walk));
    goTo(Math.min(1, walk.steps.length));
  }

  function goTo(wanted: number): void {
    if (walk === null) return;
    step = Math.max(0, Math.min(walk.steps.length, wanted));
    slider.value = String(step);
    const shape = {
      guestLevels: depth(guestLevels.value()),
      nestedLevels: depth(nestedLevels.value()),
      isNested: walk.isNested,
    };
    grid.replaceChildren(walkGrid(walk, shape, step - 1));
    const now = walk.steps[step - 1];
    slider.setAttribute("aria-valuetext", `${step} of ${walk.steps.length}`);
    if (now === undefined) {
      status.textContent =
        walk.steps.length === 0 ? "No walk: a TLB had it." : "Before the first read.";
      entry.replaceChildren();
      return;
    }
    const table = now.dimension === "nested" ? "nested" : walk.isNested ? "guest" : "";
    status.textContent = `Read ${step} of ${walk.steps.length}: ${table} level ${now.level}, at HPA ${now.address}.`;
    entry.replaceChildren(
      element("h3", {}, `${now.format === "ept" ? "EPT entry" : "Entry"} 0x${now.value}`),
      entryBoxes(now),
      element("p", {}, element("code", {}, now.meaning)),
    );
  }

  function togglePlay(): void {
    if (timer !== 0) return stop();
    if (walk !== null && step >= walk.steps.length) goTo(0);
    play.textContent = "Pause";
    timer = window.setInterval(() => {
      if (walk === null || step >= walk.steps.length) stop();
      else goTo(step + 1);
    }, playMilliseconds);
  }

  function stop(): void {
    window.clearInterval(timer);
    timer = 0;
    play.textContent = "Play";
  }
}

function summaryOf({ steps, hits, hpa }: ShownWalk): (Node | string)[] {
  const guest = steps.filter(({ dimension }) => dimension === "guest").length;
  const nested = steps.length - guest;
  const split = nested === 0 ? "" : ` (${guest} guest, ${nested} nested)`;
  const caches = hits.map(({ name, hits: times }) =>
    times === 1 ? name : `${name} ${times} times`,
  );
  return [
    element("strong", {}, `${steps.length} references${split}`),
    ` to HPA ${hpa}. Caches that hit: ${caches.length === 0 ? "none" : caches.join(", ")}.`,
  ];
}

function depth(text: string): PagingLevels {
  return text === "5" ? 5 : 4;
}

function size(text: string): PageSize {
  return text === "2m" ? "2m" : "4k";
}
