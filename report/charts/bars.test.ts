import { expect, test } from "vitest";
import { svgOf } from "../render.ts";
import { bars } from "./bars.ts";

// Seen failing: a scale of each panel's own, under which 1.75 references were drawn as long as 24.
test("a bar twice as long is twice the figure, in whatever panel", async () => {
  const panel = (name: string, value: number) => ({
    name,
    bars: [{ name: "ept", values: [value] }],
  });
  const svg = await svgOf(
    bars({
      title: "t",
      remarks: [],
      axisTitle: "references",
      legendTitle: "dimension",
      parts: [{ name: "guest", colour: "#123456" }],
      panels: [panel("long", 24), panel("short", 12), panel("least", 6)],
    }),
  );
  const widths = [...svg.matchAll(/d="M[\d.]+,[\d.]+h([\d.]+)v14h-[\d.]+Z"[^>]*fill="#123456"/g)];
  expect(widths.map(([, width]) => Number(width))).toEqual(
    [1, 2, 4].map((part) => Number(widths[0]?.[1]) / part),
  );
});
