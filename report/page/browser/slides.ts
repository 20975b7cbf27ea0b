/**
 * `?slides`: one claim a screen, in letters for the last row. Keys turn the slides, a presenter's remote too.
 *
 * A claim of several figures has a screen for each. What else a claim says is for readers, and stays in the page.
 */
import { button, element } from "./dom.ts";
import { shrinkToScreen } from "./slide-room.ts";

export function isSlideshow(): boolean {
  return new URLSearchParams(window.location.search).has("slides");
}

/** What one screen shows: a slide, and of its figures the one. */
interface Screen {
  readonly slide: HTMLElement;
  readonly figure: HTMLElement | null;
}

/**
 * A link into the slides and, in them, what turns them. `drawFigure` fills the figure of the screen that has become visible;
 * returned is what draws it again.
 */
export function slides(
  place: HTMLElement,
  drawFigure: (figure: HTMLElement) => Promise<void>,
): () => Promise<void> {
  if (!isSlideshow()) {
    place.append(linkTo("?slides", "Slides"));
    return () => Promise.resolve();
  }
  document.documentElement.dataset["slides"] = "yes";
  const all = screens();
  const status = element("span", { role: "status" });
  let at = Math.max(0, all.findIndex(isLinked));
  const goTo = async (wanted: number) => {
    at = Math.max(0, Math.min(all.length - 1, wanted));
    const now = all[at];
    if (now === undefined) return;
    reveal(now);
    status.textContent = `${at + 1} of ${all.length}`;
    if (!isLinked(now)) window.history.replaceState(null, "", `#${now.slide.id}`);
    window.scrollTo(0, 0);
    now.slide.setAttribute("aria-busy", "true");
    if (now.figure !== null) await drawFigure(now.figure);
    // A turn that came meanwhile draws its own.
    if (all[at] !== now) return;
    shrinkToScreen(now.slide);
    now.slide.removeAttribute("aria-busy");
  };
  place.append(
    button("Back", () => void goTo(at - 1)),
    button("Next", () => void goTo(at + 1)),
    status,
    linkTo("", "Leave the slides"),
  );
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || isForControl(event)) return;
    const wanted = turns[event.key]?.(at, all.length);
    if (wanted === undefined) return;
    event.preventDefault();
    void goTo(wanted);
  });
  return () => goTo(at);
}

function linkTo(search: string, text: string): HTMLElement {
  const url = new URL(window.location.href);
  url.search = search;
  url.hash = "";
  return element("a", { class: "button", href: url.href }, text);
}

function screens(): Screen[] {
  return [...document.querySelectorAll<HTMLElement>(".slide")].flatMap((slide): Screen[] => {
    const figures = [...slide.querySelectorAll<HTMLElement>(".finding-body > [data-figure]")];
    if (figures.length === 0) return [{ slide, figure: null }];
    return figures.map((figure) => ({ slide, figure }));
  });
}

/** What stands behind a section's name in the address is the section's. */
function isLinked({ slide }: Screen): boolean {
  return slide.id === window.location.hash.replace(/^#|\?.*$/g, "");
}

function reveal({ slide: now, figure }: Screen): void {
  for (const slide of document.querySelectorAll(".slide")) {
    slide.classList.toggle("now", slide === now);
    if (slide instanceof HTMLDetailsElement) slide.open = slide === now;
  }
  for (const section of document.querySelectorAll("main > section")) {
    section.classList.toggle("has-now", section !== now && section.contains(now));
  }
  for (const one of now.querySelectorAll(".finding-body > [data-figure]")) {
    one.classList.toggle("shown", one === figure);
  }
}

/** Whoever works a field means the field; on a button only the space bar does something else. */
function isForControl({ target, key }: KeyboardEvent): boolean {
  if (!(target instanceof Element)) return false;
  return (
    target.closest(key === " " ? "input, select, button, a, summary" : "input, select") !== null
  );
}

type Turn = (at: number, count: number) => number;
const next: Turn = (at) => at + 1;
const back: Turn = (at) => at - 1;

const turns: Readonly<Record<string, Turn>> = {
  ArrowRight: next,
  ArrowDown: next,
  PageDown: next,
  " ": next,
  ArrowLeft: back,
  ArrowUp: back,
  PageUp: back,
  Home: () => 0,
  End: (_, count) => count - 1,
};
