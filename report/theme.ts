/**
 * How every chart looks: one font, quiet axes, colours that colour-blind readers can tell apart.
 *
 * A colour means the same thing in every chart. Hues are those of Okabe and Ito (2008), with Tol's muted
 * scheme behind them; neighbours differ in lightness too, so a grey print still reads. No letter is below 12 px.
 */
import type { Config } from "vega-lite";
import type { ExitCause } from "../bench/results/result.ts";

/** Shipped with the project as TTF: resvg draws no text at all from a web font, and says nothing. */
export const fontFamily = "DejaVu Sans";

const ink = "#1f2328";
const quiet = "#57606a";
const gridColour = "#e3e6ea";

/** Dark enough for white text on it, unlike the light end of a scale. */
export const inkColour = ink;

const engineHues = [
  "#4d4d4d",
  "#d55e00",
  "#e69f00",
  "#cc79a7",
  "#0072b2",
  "#56b4e9",
  "#009e73",
  "#999933",
  "#332288",
  "#882255",
  "#88ccee",
  "#ddcc77",
];

/** One colour per engine by its place in the results, so that two charts of one run agree. */
export function engineColours(engines: readonly string[]): string[] {
  return engines.map((_, index) => engineHues[index % engineHues.length] ?? ink);
}

const causeHues: Readonly<Record<ExitCause, string>> = {
  PageFault: "#d55e00",
  EptViolation: "#0072b2",
  Cr3Write: "#e69f00",
  Cr3Read: "#f5d491",
  Invlpg: "#009e73",
  Invpcid: "#8fd1b8",
  Cr0Write: "#8c8c8c",
  Cr4Write: "#4d4d4d",
  Cpuid: "#c6c6c6",
  PmlFull: "#cc79a7",
  Vmrun: "#332288",
  HypervisorInstruction: "#999933",
  EptMisconfiguration: "#56b4e9",
  Other: "#e3e3e3",
};

export function causeColours(causes: readonly ExitCause[]): string[] {
  return causes.map((cause) => causeHues[cause]);
}

export const chartConfig: Config = {
  background: "white",
  font: fontFamily,
  padding: 16,
  title: {
    anchor: "start",
    color: ink,
    fontSize: 16,
    subtitleColor: quiet,
    subtitleFontSize: 12,
    subtitlePadding: 5,
    offset: 14,
  },
  axis: {
    domainColor: quiet,
    gridColor: gridColour,
    labelColor: ink,
    labelFontSize: 12,
    labelLimit: 320,
    tickColor: quiet,
    titleColor: quiet,
    titleFontSize: 12,
    titleFontWeight: "normal",
  },
  header: {
    labelAnchor: "start",
    labelColor: ink,
    labelFontSize: 13,
    labelFontWeight: "bold",
    labelLimit: 320,
    labelPadding: 4,
  },
  legend: {
    labelColor: ink,
    labelFontSize: 12,
    labelLimit: 320,
    titleColor: quiet,
    titleFontSize: 12,
    titleFontWeight: "normal",
    titleLimit: 400,
  },
  view: { stroke: null },
};
