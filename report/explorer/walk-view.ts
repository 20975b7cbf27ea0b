/**
 * The walk explorer: choose a machine and an address, step through the reads of its page walk.
 */
import type { PagingLevels } from "../../machine/address.ts";
import { button, choice, element, labelled, scrollBox } from "../page/browser/dom.ts";
import { entryBoxes } from "./entry-bits.ts";
import { readAddress, type ShownWalk, type WalkOptions, walkOf } from "./walk.ts";
import { walkGrid } from "./walk-grid.ts";
import { engineNames, type PageSize, presetNames } from "./world.ts";

const sizes = [
  ["4k", "4 KiB"],
  ["2m", "2 MiB"],
] as const;
const depths = [
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
  const controls = walkControls(run);
  const grid = element("div", {});
  const entry = element("div", { class: "entry" });
  const status = element("p", { class: "step", role: "status" });
  const summary = element("p", { class: "claim walk-summary" });
  let walk: ShownWalk | null = null;
  const player = walkPlayer(show);
  const shown = element(
    "div",
    {},
    summary,
    player.field,
    status,
    element("div", { class: "walk" }, scrollBox("Walk grid", grid), entry),
  );
  place.append(controls.field, shown);
  run();

  function run(): void {
    const options = controls.options();
    // The walk of another address below a complaint about this one would be taken for its own.
    shown.hidden = options === null;
    if (options === null) return player.stop();
    walk = walkOf(options);
    summary.replaceChildren(...summaryOf(walk));
    player.restart(walk.steps.length);
  }

  /** The walk after `step` reads. */
  function show(step: number): void {
    if (walk === null) return;
    const { steps, isNested } = walk;
    grid.replaceChildren(walkGrid(walk, controls.levels(), step - 1));
    const now = steps[step - 1];
    if (now === undefined) {
      status.textContent = steps.length === 0 ? "No walk: a TLB had it." : "Before the first read.";
      entry.replaceChildren();
      return;
    }
    const table = isNested ? `${now.dimension} level` : "level";
    status.textContent = `Read ${step} of ${steps.length}: ${table} ${now.level}, at HPA ${now.address}.`;
    entry.replaceChildren(
      element("h3", {}, `${now.format === "ept" ? "EPT entry" : "Entry"} 0x${now.value}`),
      entryBoxes(now),
      element("p", {}, element("code", {}, now.meaning)),
    );
  }
}

/** Everything that decides a walk; `options` is null while the address is none. */
function walkControls(onChange: () => void) {
  const named = (names: readonly string[]) => names.map((name) => [name, name] as const);
  const others = engineNames.filter((name) => name !== "ept");
  const engine = choice("Engine", named(["ept", ...others]), onChange);
  const preset = choice("Processor", named(presetNames), onChange);
  const guestLevels = choice("Guest levels", depths, onChange);
  const nestedLevels = choice("Nested levels", depths, onChange);
  const pages = choice("Guest pages", sizes, onChange);
  const backing = choice("Host pages", sizes, onChange);
  const warmth = choice("Caches know", warmths, onChange);
  const address = element("input", {
    value: "0x400000",
    spellcheck: "false",
    autocomplete: "off",
    "aria-describedby": "address-problem",
  });
  address.addEventListener("change", onChange);
  const problem = element("span", { id: "address-problem", class: "problem", role: "alert" });
  const fields = [engine, preset, guestLevels, nestedLevels, pages, backing, warmth];
  const levels = () => ({
    guestLevels: depth(guestLevels.value()),
    nestedLevels: depth(nestedLevels.value()),
  });

  function options(): WalkOptions | null {
    const where = { ...levels(), pages: size(pages.value()) };
    const read = readAddress(address.value, where);
    const isWrong = "problem" in read;
    problem.textContent = isWrong ? `The address ${read.problem}.` : "";
    address.setAttribute("aria-invalid", String(isWrong));
    if (isWrong) return null;
    return {
      ...read,
      ...where,
      engine: engine.value(),
      preset: preset.value(),
      backing: size(backing.value()),
      warmth: warmths.find(([name]) => name === warmth.value())?.[0] ?? "nothing",
    };
  }
  const field = element(
    "div",
    { class: "pickers" },
    ...fields.map((one) => one.field),
    labelled("Address (GVA)", address),
    problem,
  );
  return { field, options, levels };
}

/** Buttons and a slider over the reads of a walk; `onStep` gets how many are to be shown. */
function walkPlayer(onStep: (step: number) => void) {
  let step = 0;
  let steps = 0;
  let timer = 0;
  const slider = element("input", { type: "range", min: 0, "aria-label": "Step of the walk" });
  slider.addEventListener("input", () => goTo(Number(slider.value)));
  const play = button("Play", togglePlay);
  const field = element(
    "div",
    { class: "pickers player" },
    button("First", () => goTo(0)),
    button("Back", () => goTo(step - 1)),
    button("Next", () => goTo(step + 1)),
    button("Last", () => goTo(steps)),
    play,
    slider,
  );

  function goTo(wanted: number): void {
    step = Math.max(0, Math.min(steps, wanted));
    slider.value = String(step);
    slider.setAttribute("aria-valuetext", `${step} of ${steps}`);
    onStep(step);
  }

  function togglePlay(): void {
    if (timer !== 0) return stop();
    if (step >= steps) goTo(0);
    play.textContent = "Pause";
    timer = window.setInterval(() => {
      if (step >= steps) stop();
      else goTo(step + 1);
    }, playMilliseconds);
  }

  function stop(): void {
    window.clearInterval(timer);
    timer = 0;
    play.textContent = "Play";
  }

  function restart(length: number): void {
    steps = length;
    slider.max = String(length);
    goTo(Math.min(1, length));
  }
  return { field, restart, stop };
}

function summaryOf({ steps, hits, hpa, kind }: ShownWalk): (Node | string)[] {
  const guest = steps.filter(({ dimension }) => dimension === "guest").length;
  const nested = steps.length - guest;
  const split = nested === 0 ? "" : ` (${guest} guest, ${nested} nested)`;
  const caches = hits.map(({ name, hits: times }) =>
    times === 1 ? name : `${name} ${times} times`,
  );
  return [
    element("strong", {}, `${steps.length} references${split}`),
    ` to HPA ${hpa}${kind === "user" ? "" : ` (${kind})`}. Caches that hit: ${caches.length === 0 ? "none" : caches.join(", ")}.`,
  ];
}

function depth(text: string): PagingLevels {
  return text === "5" ? 5 : 4;
}

function size(text: string): PageSize {
  return text === "2m" ? "2m" : "4k";
}
