import { expect, test } from "vitest";
import { syntheticRows } from "../synthetic.ts";
import { hostileContent, hostileNames } from "./hostile.ts";
import { html, jsonText, scriptText } from "./html.ts";
import { packRows, unpackRows } from "./page-data.ts";
import { renderPage } from "./page.ts";
import { fitSpec } from "./browser/spec-fit.ts";
import { tooltipMarkup } from "./browser/tooltip.ts";
import { overview } from "./browser/overview.ts";
import { arrange } from "../cases.ts";

const rows = syntheticRows({ engines: 4, workloads: 5, seeds: 2 });
const empty = { costs: {}, titles: {}, manifest: null, host: null, why: null, published: null };

test("rows survive packing", () => {
  expect(unpackRows(structuredClone(packRows(rows)))).toEqual(rows);
});

test("what is put into markup is text", () => {
  expect(html`<p title="${`"&'`}">${"<b>"}${html`<i>${1}</i>`}</p>`.markup).toBe(
    '<p title="&quot;&amp;&#39;">&lt;b&gt;<i>1</i></p>',
  );
  expect(jsonText(hostileNames)).not.toMatch(/<[/!]/);
  expect(JSON.parse(jsonText(hostileNames))).toEqual(hostileNames);
  expect(scriptText('"</script>"')).toBe('"<\\/script>"');
});

test("a hostile name opens no element anywhere in the page", async () => {
  const tame = await renderPage({ ...empty, rows });
  const { text } = await renderPage(hostileContent(rows));
  for (const opening of [/<script/g, /<\/script/g, /<img/g, /<!--/g]) {
    const count = (where: string) => [...where.matchAll(opening)].length;
    expect(count(text)).toBe(count(tame.text));
  }
});

test("the page is one file: nothing in it points outside", async () => {
  const { text, isShortened } = await renderPage({ ...empty, rows });
  const markup = text.replaceAll(/<(script|style)\b[^>]*>[\s\S]*?<\/\1>/g, "");
  expect(markup.match(/(?:src|href)="(?!#|data:)[^"]*"/g)).toBeNull();
  expect(markup).toContain("default-src &#39;none&#39;");
  expect(text).not.toContain("sourceMappingURL");
  expect(isShortened).toBe(false);
});

test("a sweep too large to mail leaves out its set-up region and says so", async () => {
  const many = syntheticRows({ engines: 6, workloads: 17, seeds: 30 });
  const { text, isShortened } = await renderPage({ ...empty, rows: many });
  expect(isShortened).toBe(true);
  expect(text).toContain("the measured region only");
});

test("a chart fits a telephone: one column, title and remarks as text", () => {
  const [setting] = arrange(rows);
  if (setting === undefined) throw new Error("no setting");
  const spec = {
    title: { text: "T", subtitle: ["a", "b"] },
    columns: 4,
    facet: { field: "case", type: "nominal" },
    data: { values: [{ engine: "shadow-lazy" }] },
    spec: { width: 280, mark: "bar", encoding: { y: { field: "engine", type: "nominal" } } },
  } as const;
  const fit = fitSpec(spec as never, 320);
  expect(fit).toMatchObject({ title: "T", remarks: ["a", "b"] });
  expect(fit.spec).toMatchObject({ columns: 1 });
  const widthOf = (one: unknown) => (one as { spec: { width: number } }).spec.width;
  expect(widthOf(fit.spec)).toBeLessThan(240);
  const wide = fitSpec(spec as never, 1500).spec;
  expect(wide).toMatchObject({ columns: 4 });
  // Wider than designed, and still four to a row.
  expect(widthOf(wide)).toBeGreaterThan(300);
  expect(4 * widthOf(wide)).toBeLessThan(1400);
  expect(overview(setting, { engines: setting.engines, width: 320 })).toHaveProperty("vconcat");
  expect(overview(setting, { engines: setting.engines, width: 1200 })).toHaveProperty("hconcat");
});

test("a tooltip has the facts of a row and no helper fields, sanitized", () => {
  const datum = { case: "<b>", part: "walks", start: 1, end: 1.5, isWhole: true, room: 3 };
  const markup = tooltipMarkup(datum, (text) => String(text).replaceAll("<", "&lt;"));
  expect(markup).toBe(
    "<table><tr><th>program</th><td>&lt;b></td></tr><tr><th>what</th><td>walks</td></tr>" +
      "<tr><th>value</th><td>0.50</td></tr></table>",
  );
});

test("a square of a phase map says its rates in words", () => {
  const markup = tooltipMarkup({ x: 168, x2: 514, y: 0.52, y2: 1.62, ratio: 0.69 }, String);
  expect(markup).toBe(
    "<table><tr><th>shadow over EPT, cycles</th><td>0.69</td></tr>" +
      "<tr><th>TLB misses per 1000</th><td>168 to 514</td></tr>" +
      "<tr><th>table updates per 1000</th><td>0.52 to 1.62</td></tr></table>",
  );
});
