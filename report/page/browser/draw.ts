/**
 * Draws specs into figures and draws them again when colours or width change.
 */
import type vegaEmbed from "vega-embed";
import type { TopLevelSpec } from "vega-lite";
import { button, download, element, scrollBox } from "./dom.ts";
import { fitSpec } from "./spec-fit.ts";
import { recolour } from "./spec-theme.ts";
import { currentScheme } from "./theme-switch.ts";
import { tooltipMarkup } from "./tooltip.ts";

/** Vega's builds are scripts of their own and leave this behind. */
interface WithVega {
  readonly vegaEmbed: typeof vegaEmbed;
}

type Drawn = Awaited<ReturnType<typeof vegaEmbed>>;

const drawn = new WeakMap<HTMLElement, Drawn>();

/** Fills `figure` with the chart, its title and remarks as text, and a way to save it. */
export async function draw(figure: HTMLElement, whole: TopLevelSpec): Promise<void> {
  const { title, remarks, spec } = fitSpec(whole, figure.clientWidth - 40);
  const stage = element("div", { class: "stage" });
  drawn.get(figure)?.finalize();
  figure.replaceChildren(
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
