/**
 * The room of a slide: what is on it ends where the screen ends.
 */

/** Below the last thing on a slide, in pixels. */
const edge = 16;

/** From the top of `node` to the bottom of the screen, in pixels. */
export function heightLeft(node: Element): number {
  return Math.max(120, window.innerHeight - edge - node.getBoundingClientRect().top);
}

const steps = 16;
const stepShare = 0.97;

/** Makes a slide that is longer than the screen smaller, until it is not; letters lose at most a third. */
export function shrinkToScreen(slide: HTMLElement): void {
  let zoom = 1;
  slide.style.zoom = "";
  for (let step = 0; step < steps && isTooLong(); step++) {
    zoom *= stepShare;
    slide.style.zoom = zoom.toFixed(3);
  }
}

function isTooLong(): boolean {
  return document.documentElement.scrollHeight > window.innerHeight;
}
