/**
 * Draws specs into figures and draws them again when colours or width change.
 */
import type vegaEmbed from "vega-embed";
import type { TopLevelSpec } from "vega-lite";
import { button, download, element, scrollBox } from "./dom.ts";
import { fitSpec } from "./spec-fit.ts";
import { recolour } from "./spec-theme.ts";
import { isSlideshow } from "./slides.ts";
import { currentScheme } from "./theme-switch.ts";
import { tooltipMarkup } from "./tooltip.ts";

/** Vega's builds are scripts of their own and leave this behind. */
interface WithVega {
  readonly vegaEmbed: typeof vegaEmbed;
}

type Drawn = Awaited<ReturnType<typeof vegaEmbed>>;

const drawn = new WeakMap<HTMLElement, Drawn>();

/** A figure, and the part of it that a chart fills. */
export interface ChartPlace {
  readonly figure: HTMLElement;
  readonly stage: HTMLElement;
}

/** Fills `figure` with the chart, its title and remarks as text, and a way to save it. */
export function draw(figure: HTMLElement, whole: TopLevelSpec): Promise<void> {
  return drawInto({ figure, stage: figure }, whole);
}

export async function drawInto(place: ChartPlace, whole: TopLevelSpec): Promise<void> {
  const { figure } = place;
  const { title, remarks, spec } = fitSpec(whole, roomOf(figure));
  const stage = element("div", { class: "stage" });
  drawn.get(figure)?.finalize();
  place.stage.replaceChildren(
    element(
      "figcaption",
      {},
      element("strong", {}, title),
      ...remarks.map((remark) => element("span", { class: "quiet" }, remark)),
    ),
    scrollBox(title, stage),
    element(
      "p",
      { class: "tools" },
      button("Save as SVG", () => void save(figure, title)),
    ),
  );
  const { vegaEmbed: embed } = window as unknown as WithVega;
  const result = await embed(stage, withTooltips(recolour(spec, currentScheme())), {
    mode: "vega-lite",
    renderer: "svg",
    actions: false,
    ast: true,
    tooltip: { formatTooltip: tooltipMarkup, theme: "page" },
  });
  // A brush that nobody has drawn yet is a picture of nothing.
  for (const mark of stage.querySelectorAll('[role="graphics-symbol"]:not([aria-label])')) {
    mark.setAttribute("aria-hidden", "true");
  }
  drawn.set(figure, result);
}

/** Frame and padding of a figure. */
const frameWidth = 40;

/** A folded figure has no width, but will be as wide as what is not folded around it. */
export function roomOf(figure: HTMLElement): number {
  let shown: HTMLElement | null = figure;
  while (shown !== null && shown.clientWidth === 0) shown = shown.parentElement;
  const folded = shown === figure ? 0 : foldedPadding;
  const width = (shown?.clientWidth ?? 0) - frameWidth - folded;
  return isSlideshow() ? width / slideScale : width;
}

/** Of a claim's body. */
const foldedPadding = 30;
/** Letters of a slide are so much larger, see page.css. */
const slideScale = 1.6;

function withTooltips(spec: TopLevelSpec): TopLevelSpec {
  const config = spec.config ?? {};
  return { ...spec, config: { ...config, mark: { ...config.mark, tooltip: { content: "data" } } } };
}

async function save(figure: HTMLElement, title: string): Promise<void> {
  const svg = await drawn.get(figure)?.view.toSVG();
  if (svg !== undefined) download(`${fileName(title)}.svg`, "image/svg+xml", svg);
}

function fileName(title: string): string {
  return title.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
}
