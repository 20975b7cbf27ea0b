/**
 * The frontier as a picture: programs by their two rates, coloured by winner, and the line where both schemes cost
 * the same. Drawn by hand, because it follows a finger on a slider.
 */
import { drawn } from "./dom.ts";
import type { RacedProgram } from "./race-rows.ts";

type Range = readonly [from: number, to: number];

/** Decades of rates per 1000 accesses; a program beyond them stands on the edge. */
const missRange: Range = [0.1, 1000];
const updateRange: Range = [0.01, 1000];
const margin = { left: 62, right: 26, top: 14, bottom: 48 };
const disc = 11;

export interface PictureOptions {
  readonly programs: readonly RacedProgram[];
  readonly slope: number | null;
  /** Of the whole picture, in pixels. */
  readonly width: number;
}

export function frontierPicture({ programs, slope, width }: PictureOptions): SVGElement {
  const height = Math.max(320, Math.min(560, width * 0.85));
  const right = width - margin.right;
  const bottom = height - margin.bottom;
  const xOf = (misses: number) => place(misses, missRange, [margin.left, right]);
  const yOf = (updates: number) => place(updates, updateRange, [bottom, margin.top]);
  const area = { xOf, yOf, left: margin.left, right, top: margin.top, bottom };
  return drawn(
    "svg",
    {
      class: "frontier-picture",
      width,
      height,
      viewBox: `0 0 ${width} ${height}`,
      role: "img",
      "aria-label":
        "Programs by TLB misses and table updates per 1000 accesses, coloured by winner",
    },
    ...(slope === null ? [] : territory(slope, area)),
    ...axes(area, height),
    ...discs(programs, area),
  );
}

interface Area {
  readonly xOf: (misses: number) => number;
  readonly yOf: (updates: number) => number;
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** Where a rate lies on a logarithmic axis; beyond the ends: at them. */
function place(rate: number, [from, to]: Range, [low, high]: Range): number {
  const share = Math.log(Math.max(rate, from) / from) / Math.log(to / from);
  return low + Math.min(1, share) * (high - low);
}

function territory(slope: number, area: Area): SVGElement[] {
  const { left, right, top, bottom } = area;
  // Straight on these axes; an end beyond the map is where the line enters it.
  const ends = missRange.map((misses) => {
    const updates = Math.max(slope * misses, Number.MIN_VALUE);
    const [low, high] = updateRange;
    if (updates >= low && updates <= high) return [area.xOf(misses), area.yOf(updates)] as const;
    const edge = updates < low ? low : high;
    return [area.xOf(edge / Math.max(slope, Number.MIN_VALUE)), area.yOf(edge)] as const;
  });
  const line = ends.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" L");
  const [first, last] = [ends[0]?.[1] ?? bottom, ends[1]?.[1] ?? top];
  const [firstX, lastX] = [ends[0]?.[0] ?? left, ends[1]?.[0] ?? right];
  const below = `M${line} L${right},${last <= top ? top : last} L${right},${bottom} L${left},${bottom} L${left},${first >= bottom ? bottom : first} Z`;
  const label = (x: number, y: number, anchor: string, kind: string, text: string) =>
    drawn("text", { x, y, "text-anchor": anchor, class: `area ${kind}` }, text);
  return [
    drawn("path", { class: "nested-area", d: `M${left},${top} H${right} V${bottom} H${left} Z` }),
    drawn("path", { class: "shadow-area", d: below }),
    drawn("path", {
      class: "frontier-line",
      d: `M${firstX.toFixed(1)},${first.toFixed(1)} L${lastX.toFixed(1)},${last.toFixed(1)}`,
    }),
    label(left + 10, top + 22, "start", "nested", "nested paging wins"),
    label(left + 0.68 * (right - left), bottom - 66, "middle", "shadow", "shadow paging wins"),
  ];
}

function axes({ xOf, yOf, left, right, top, bottom }: Area, height: number): SVGElement[] {
  const middle = (top + bottom) / 2;
  return [
    drawn("path", { class: "axis", d: `M${left},${top} V${bottom} H${right}` }),
    ...decades(missRange).map((rate) =>
      drawn("text", { x: xOf(rate), y: bottom + 18, "text-anchor": "middle" }, String(rate)),
    ),
    ...decades(updateRange).map((rate) =>
      drawn("text", { x: left - 7, y: yOf(rate) + 4, "text-anchor": "end" }, String(rate)),
    ),
    drawn(
      "text",
      { x: (left + right) / 2, y: height - 8, "text-anchor": "middle" },
      "TLB misses per 1000 accesses",
    ),
    drawn(
      "text",
      { transform: `translate(14 ${middle}) rotate(-90)`, "text-anchor": "middle" },
      "table updates per 1000 accesses",
    ),
  ];
}

function decades([from, to]: Range): number[] {
  const count = Math.round(Math.log10(to / from)) + 1;
  return Array.from({ length: count }, (_, index) => Number((from * 10 ** index).toPrecision(3)));
}

/** Numbered as in the table beside; none hides another. */
function discs(programs: readonly RacedProgram[], area: Area): SVGElement[] {
  const taken: (readonly [number, number])[] = [];
  const isFree = (x: number, y: number) =>
    taken.every(([a, b]) => Math.hypot(a - x, b - y) >= 2 * disc - 2);
  return programs.map(({ name, winner, misses, updates }, index) => {
    const [x, y] = freePlace([area.xOf(misses), area.yOf(updates)], area, isFree);
    taken.push([x, y]);
    return drawn(
      "g",
      { class: `disc ${winner}` },
      drawn("circle", { cx: x, cy: y, r: disc }),
      drawn("text", { x, y: y + 4, "text-anchor": "middle" }, String(index + 1)),
      drawn("title", {}, `${name}: ${winner === "draw" ? "a draw" : `${winner} paging wins`}`),
    );
  });
}

/** The nearest free place around the true one, on rings that grow. */
function freePlace(
  [x, y]: readonly [number, number],
  { left, right, top, bottom }: Area,
  isFree: (x: number, y: number) => boolean,
): readonly [number, number] {
  const inside = (value: number, low: number, high: number) =>
    Math.min(high - disc, Math.max(low + disc, value));
  for (let ring = 0; ring < 12; ring++) {
    for (let turn = 0; turn < 12; turn++) {
      const angle = (turn * Math.PI) / 6;
      const atX = inside(x + ring * disc * Math.cos(angle), left, right);
      const atY = inside(y + ring * disc * Math.sin(angle), top, bottom);
      if (isFree(atX, atY)) return [atX, atY];
    }
  }
  return [inside(x, left, right), inside(y, top, bottom)];
}
