/**
 * Where the browser half draws the figure called `name`; a note when there is none.
 */
import { html, type Html } from "./html.ts";

export function figurePlace(name: string, figures: ReadonlySet<string>): Html {
  if (!figures.has(name))
    return html`<p class="quiet">The figure “${name}” is not in the folder.</p>`;
  return html`<figure class="chart" data-figure="${name}"></figure>`;
}
