/**
 * The attack matrix, run in the page: which lock holds against what, and each attack step by step under two schemes.
 */
import { type AttackName, attackNames, attacks } from "../../policies/attack/attacks.ts";
import { type Outcome, runAttack } from "../../policies/attack/run-attack.ts";
import { type SchemeName, schemeNames, schemes } from "../../policies/attack/schemes.ts";
import { happenedAt } from "../../policies/attack/step-words.ts";
import type { SectionState } from "../page/browser/address.ts";
import { element, scrollBox } from "../page/browser/dom.ts";
import { happeningCard } from "./happening-card.ts";

/** What the steps of every scheme stand beside: it holds against all. */
const beside = "shadow" satisfies SchemeName;
const first = { scheme: "ept-frame", attack: "remap" } as const;

interface Cell {
  readonly scheme: SchemeName;
  readonly attack: AttackName;
  readonly button: HTMLButtonElement;
}

export function attackExplorer(place: HTMLElement, state: SectionState): void {
  const outcomes = new Map<string, Outcome>();
  const cells = schemeNames.flatMap((scheme) =>
    attackNames.map((attack): Cell => {
      const button = element("button", { type: "button" }, "…");
      button.addEventListener("click", () => {
        state.set({ scheme, attack });
        show(scheme, attack);
      });
      return { scheme, attack, button };
    }),
  );
  const heading = element("p", { class: "claim", role: "status" });
  const list = element("ol", { class: "instructions" });
  place.append(scrollBox("Attacks against schemes", matrix(cells)), heading, list);

  function outcomeOf(scheme: SchemeName, attack: AttackName): Outcome {
    const name = `${scheme} ${attack}`;
    const known = outcomes.get(name) ?? runAttack(scheme, attack);
    outcomes.set(name, known);
    return known;
  }

  function fill({ scheme, attack, button }: Cell): void {
    const { isBroken, exits } = outcomeOf(scheme, attack);
    button.textContent = `${isBroken ? "BROKEN" : "held"} ${exits}`;
    button.classList.toggle("broken", isBroken);
  }

  function show(scheme: SchemeName, attack: AttackName): void {
    for (const { button, ...cell } of cells) {
      const isChosen = cell.scheme === scheme && cell.attack === attack;
      button.setAttribute("aria-pressed", String(isChosen));
    }
    const shown = [...new Set<SchemeName>([scheme, beside])].map((name) => outcomeOf(name, attack));
    heading.replaceChildren(...headingOf(attack, shown));
    list.replaceChildren(...stepsOf(shown));
  }

  /** Some milliseconds for each of a hundred cells: not before somebody looks, and between two frames. */
  const waiting = [...cells];
  function fillNext(): void {
    const next = waiting.shift();
    if (next === undefined) return;
    fill(next);
    window.setTimeout(fillNext, 0);
  }
  let isStarted = false;
  function start(): void {
    if (isStarted) return;
    isStarted = true;
    const scheme = schemeNames.find((name) => name === state.get("scheme")) ?? first.scheme;
    const attack = attackNames.find((name) => name === state.get("attack")) ?? first.attack;
    show(scheme, attack);
    fillNext();
  }
  const watcher = new IntersectionObserver(
    (entries) => {
      if (!entries.some(({ isIntersecting }) => isIntersecting)) return;
      watcher.disconnect();
      start();
    },
    { rootMargin: "600px" },
  );
  watcher.observe(place);
  window.addEventListener("beforeprint", () => {
    start();
    for (const cell of waiting.splice(0)) fill(cell);
  });
}

function matrix(cells: readonly Cell[]): HTMLElement {
  const headers = attackNames.map((name) =>
    element("th", { scope: "col", title: attacks[name].title }, name),
  );
  const rows = schemeNames.map((scheme) =>
    element(
      "tr",
      {},
      element(
        "th",
        { scope: "row" },
        scheme,
        element("span", { class: "quiet" }, schemes[scheme].title),
      ),
      ...cells
        .filter((cell) => cell.scheme === scheme)
        .map(({ button }) => element("td", {}, button)),
    ),
  );
  return element(
    "table",
    { class: "attacks" },
    element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "scheme"), ...headers)),
    element("tbody", {}, ...rows),
  );
}

function headingOf(attack: AttackName, shown: readonly Outcome[]): (Node | string)[] {
  const verdicts = shown.map(({ scheme, isBroken, exits }) => {
    const verdict = isBroken ? "is broken" : "holds";
    return `${scheme} (${schemes[scheme].title}) ${verdict}, ${exits === 1 ? "1 exit" : `${exits} exits`}`;
  });
  return [element("strong", {}, attack), `: ${attacks[attack].title}. ${verdicts.join("; ")}.`];
}

/** The program is the same whatever runs it, so that step stands beside step. */
function stepsOf(shown: readonly Outcome[]): HTMLElement[] {
  const [one] = shown;
  return (one?.steps ?? []).map(({ text }, index) => {
    const cards = shown.flatMap(({ scheme, steps }) => {
      const step = steps[index];
      return step === undefined ? [] : [happeningCard(scheme, step.exits.length, happenedAt(step))];
    });
    return element("li", {}, element("h3", {}, text), element("div", { class: "cards" }, ...cards));
  });
}
