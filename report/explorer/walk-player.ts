/**
 * Buttons, a slider and the arrow keys over the reads of a walk.
 */
import { button, element } from "../page/browser/dom.ts";

const playMilliseconds = 450;

/** `onStep` gets how many reads are to be shown. */
export function walkPlayer(onStep: (step: number) => void) {
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

  function restart(length: number, at = 1): void {
    steps = length;
    slider.max = String(length);
    goTo(Math.min(at, length));
  }

  /** Fields and the slider take arrow keys themselves. */
  function takeKeys(place: HTMLElement): void {
    place.addEventListener("keydown", (event) => {
      if (event.target instanceof Element && event.target.closest("input, select")) return;
      const turn = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (turn === undefined) return;
      event.preventDefault();
      goTo(step + turn);
    });
  }
  return { field, restart, stop, takeKeys };
}
