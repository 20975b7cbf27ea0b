/**
 * The walk explorer: choose a machine and an address, step through the reads of its page walk.
 */
import type { CostModel } from "../../bench/costs/cost.ts";
import { hexGva } from "../../machine/address.ts";
import type { SectionState } from "../page/browser/address.ts";
import { element, scrollBox } from "../page/browser/dom.ts";
import { addressSplit } from "./address-split.ts";
import { costOf } from "./cost-of.ts";
import { entryBoxes } from "./entry-bits.ts";
import { type ShownWalk, type WalkOptions, walkOf, type WalkStep } from "./walk.ts";
import { walkBeside } from "./walk-beside.ts";
import { walkControls } from "./walk-controls.ts";
import { walkGrid } from "./walk-grid.ts";
import { walkPlayer } from "./walk-player.ts";
import { stepSentence } from "./walk-words.ts";

export interface WalkExplorer {
  readonly costs: Readonly<Record<string, CostModel>>;
  readonly state: SectionState;
}

export function walkExplorer(place: HTMLElement, { costs, state }: WalkExplorer): void {
  let isStarted = false;
  const controls = walkControls(state, () => run());
  const grid = element("div", {});
  const entry = element("div", { class: "entry" });
  const splits = element("div", { class: "splits" });
  const status = element("p", { class: "step", role: "status" });
  const sentence = element("p", { class: "sentence" });
  const summary = element("p", { class: "claim walk-summary" });
  const beside = element("div", {});
  const player = walkPlayer(show);
  const shown = element(
    "div",
    { class: "walk-explorer" },
    summary,
    player.field,
    status,
    sentence,
    splits,
    element("div", { class: "walk" }, scrollBox("Walk grid", grid), entry),
    beside,
  );
  player.takeKeys(shown);
  place.append(controls.field, shown);
  let walk: ShownWalk | null = null;
  let options: WalkOptions | null = null;
  run();

  function run(): void {
    options = controls.options();
    // The walk of another address below a complaint about this one would be taken for its own.
    shown.hidden = options === null;
    if (options === null) return player.stop();
    walk = walkOf(options);
    summary.replaceChildren(...summaryOf(walk));
    beside.replaceChildren(walkBeside(options, costOf(costs, options.preset)));
    const linked = Number(state.get("step"));
    player.restart(walk.steps.length, !isStarted && linked >= 0 ? linked : 1);
    isStarted = true;
  }

  /** The walk after `step` reads. */
  function show(step: number): void {
    if (walk === null || options === null) return;
    // Before the first choice the address is the reader's own.
    if (isStarted) state.set({ ...controls.chosen(), step: String(step) });
    const { steps, isNested } = walk;
    grid.replaceChildren(walkGrid(walk, controls.levels(), step - 1));
    const now = steps[step - 1];
    splits.replaceChildren(...splitsOf(options, now));
    if (now === undefined) {
      status.textContent = steps.length === 0 ? "No walk: a TLB had it." : "Before the first read.";
      sentence.textContent = "";
      entry.replaceChildren();
      return;
    }
    const { reference } = costOf(costs, options.preset).walk;
    const table = isNested ? `${now.dimension} level` : "level";
    status.textContent = `Read ${step} of ${steps.length}: ${table} ${now.level}, at HPA ${now.address}. ${Math.round(step * reference)} cycles so far, ${reference} a read.`;
    sentence.textContent = stepSentence(walk, options.engine, now);
    entry.replaceChildren(
      element("h3", {}, `${now.format === "ept" ? "EPT entry" : "Entry"} 0x${now.value}`),
      entryBoxes(now),
      element("p", {}, element("code", {}, now.meaning)),
    );
  }
}

/** The guest's address, and under nested paging the one that is being translated for it. */
function splitsOf(options: WalkOptions, now: WalkStep | undefined): HTMLElement[] {
  const { vpn, offset, guestLevels, nestedLevels } = options;
  const text = `0x${hexGva(vpn, offset, guestLevels)}`;
  const isGuest = now?.dimension === "guest";
  const gva = { kind: "GVA", text, levels: guestLevels, now: isGuest ? now.level : null };
  if (now === undefined || now.gpa === "") return [addressSplit(gva)];
  const gpa = { kind: "GPA", text: now.gpa, levels: nestedLevels, now: now.level };
  return [addressSplit({ ...gva, now: now.row === 0 ? null : now.row }), addressSplit(gpa)];
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
