/**
 * Draws specs into figures and draws them again when colours or width change.
 */
import type vegaEmbed from "vega-embed";
import type { TopLevelSpec } from "vega-lite";
import { button, download, element, scrollBox } from "./dom.ts";
import { fitSpec } from "./spec-fit.ts";
import { heightLeft } from "./slide-room.ts";
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
  const { title, remarks } = fitSpec(whole, roomOf(figure));
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
  const result = isSlideshow()
    ? await fillSlide(stage, whole)
    : await embedInto(stage, fitSpec(whole, roomOf(figure)).spec);
  // A brush that nobody has drawn yet is a picture of nothing.
  for (const mark of stage.querySelectorAll('[role="graphics-symbol"]:not([aria-label])')) {
    mark.setAttribute("aria-hidden", "true");
  }
  drawn.set(figure, result);
}

function embedInto(stage: HTMLElement, spec: TopLevelSpec): Promise<Drawn> {
  const { vegaEmbed: embed } = window as unknown as WithVega;
  return embed(stage, withTooltips(recolour(spec, currentScheme())), {
    mode: "vega-lite",
    renderer: "svg",
    actions: false,
    ast: true,
    tooltip: { formatTooltip: tooltipMarkup, theme: "page" },
  });
}

/** How much larger than in the page the letters of a slide may be, best first. */
const slideScales = [2.2, 1.8, 1.5, 1.35, 1.2, 1.05, 0.9];

/**
 * The chart as large as the room of the slide: of several widths to lay it out in the one whose letters come out largest, since
 * a wide chart is low and a narrow one has large letters.
 */
async function fillSlide(stage: HTMLElement, whole: TopLevelSpec): Promise<Drawn> {
  // Vega's own box is as wide as its picture.
  const room = { width: stage.parentElement?.clientWidth ?? 0, height: heightLeft(stage) };
  const fitted = (scale: number) => fitSpec(whole, room.width / scale, "filled").spec;
  let best = { wanted: 1, scale: 0 };
  for (const wanted of slideScales) {
    if (wanted <= best.scale) break;
    const trial = await embedInto(stage, fitted(wanted));
    const scale = scaleInto(room, stage);
    trial.finalize();
    if (scale > best.scale) best = { wanted, scale };
  }
  const result = await embedInto(stage, fitted(best.wanted));
  const scale = scaleInto(room, stage);
  const svg = stage.querySelector("svg");
  svg?.setAttribute("width", String(Math.floor(scale * Number(svg.getAttribute("width")))));
  svg?.setAttribute("height", String(Math.floor(scale * Number(svg.getAttribute("height")))));
  return result;
}

interface Room {
  readonly width: number;
  readonly height: number;
}

/** By how much the picture in `stage` may grow. */
function scaleInto({ width, height }: Room, stage: HTMLElement): number {
  const size = (name: string) => Number(stage.querySelector("svg")?.getAttribute(name) ?? 1);
  return Math.min(width / size("width"), height / size("height"), slideScales[0] ?? 1);
}

/** Frame and padding of a figure. */
const frameWidth = 40;

/** A folded figure has no width, but will be as wide as what is not folded around it. */
export function roomOf(figure: HTMLElement): number {
  let shown: HTMLElement | null = figure;
  while (shown !== null && shown.clientWidth === 0) shown = shown.parentElement;
  const folded = shown === figure ? 0 : foldedPadding;
  return (shown?.clientWidth ?? 0) - frameWidth - folded;
}

/** Of a claim's body. */
const foldedPadding = 30;

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
