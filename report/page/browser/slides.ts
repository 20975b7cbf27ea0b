/**
 * `?slides`: one claim a screen, in letters for the last row. Arrow keys, space and Page keys turn the slides.
 */
import { button, element } from "./dom.ts";

export function isSlideshow(): boolean {
  return new URLSearchParams(window.location.search).has("slides");
}

/** A link into the slides and, in them, what turns them. `onShow` runs when a slide has become visible. */
export function slides(place: HTMLElement, onShow: () => void): void {
  if (!isSlideshow()) {
    const url = new URL(window.location.href);
    url.search = "?slides";
    url.hash = "";
    place.append(element("a", { class: "button", href: url.href }, "Slides"));
    return;
  }
  document.documentElement.dataset["slides"] = "yes";
  const all = [...document.querySelectorAll<HTMLElement>(".slide")];
  const status = element("span", { role: "status" });
  let at = Math.max(
    0,
    all.findIndex((slide) => slide.id === window.location.hash.replace(/^#|\?.*$/g, "")),
  );
  const goTo = (wanted: number) => {
    at = Math.max(0, Math.min(all.length - 1, wanted));
    for (const [index, slide] of all.entries()) {
      slide.classList.toggle("now", index === at);
      if (slide instanceof HTMLDetailsElement) slide.open = index === at;
    }
    for (const section of document.querySelectorAll("main > section")) {
      const now = all[at] ?? null;
      section.classList.toggle("has-now", section !== now && section.contains(now));
    }
    status.textContent = `${at + 1} of ${all.length}`;
    window.scrollTo(0, 0);
    onShow();
  };
  const url = new URL(window.location.href);
  url.search = "";
  place.append(
    button("Back", () => goTo(at - 1)),
    button("Next", () => goTo(at + 1)),
    status,
    element("a", { class: "button", href: url.href }, "Leave the slides"),
  );
  document.addEventListener("keydown", (event) => {
    // Whoever works a control means the control.
    const isBusy =
      event.target instanceof Element &&
      event.target.closest("input, select, button, a, .walk-explorer");
    if (isBusy || event.defaultPrevented) return;
    const step = turns[event.key];
    if (step === undefined) return;
    event.preventDefault();
    goTo(at + step);
  });
  goTo(at);
}

const turns: Readonly<Record<string, number>> = {
  ArrowRight: 1,
  ArrowDown: 1,
  PageDown: 1,
  " ": 1,
  ArrowLeft: -1,
  ArrowUp: -1,
  PageUp: -1,
};
