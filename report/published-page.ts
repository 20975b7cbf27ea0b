/**
 * The page of published claims: what was compared, what missed and why, what cannot be compared and why.
 */
import { short } from "./format.ts";
import { markdownTable } from "./markdown-table.ts";
import { differenceText, type PublishedLine } from "./published-table.ts";

export interface PageLine extends PublishedLine {
  /** Rows that it rests on. */
  readonly ids: readonly string[];
  readonly how: string;
}

export interface PublishedPage {
  readonly lines: readonly PageLine[];
  /** Why rows are not compared: reason and rows. */
  readonly notCompared: ReadonlyMap<string, readonly string[]>;
  /** Rows that feed prices and presets, and rows that nobody has read in their source. */
  readonly calibration: readonly string[];
  readonly hints: readonly string[];
  /** Within this share of a measured value a claim is met. */
  readonly tolerance: number;
}

const classes = [
  ["a", "a: by architecture"],
  ["b", "b: counts and mixes"],
  ["c", "c: measured on machines, or simulated by others"],
] as const;

export function publishedPage({ lines, tolerance, ...rows }: PublishedPage): string {
  const missed = lines.filter(({ met }) => !met);
  return [
    "# Published measurements, and what the simulator says",
    "",
    "Written by `npm run validate -- --published`; `published.csv` has every row with its formula.",
    "",
    `${lines.length} claims are compared, ${missed.length} are missed. Class a and counts that follow from a ` +
      `rule must be equal; what was measured on a real machine is met within ${Math.round(tolerance * 100)} %; ` +
      "a ranking is met when the same side wins. A published number is as sure as its last digit, or as its figure " +
      "could be read: a claim is missed if no value within that meets it, and numbers that may be in either order " +
      "rank nothing. No claim has a tolerance or a factor of its own.",
    "",
    ...markdownTable(
      ["class", "compared", "met"],
      classes.map(([name, title]) => {
        const own = lines.filter((line) => line.class === name);
        return [title, String(own.length), String(own.filter(({ met }) => met).length)];
      }),
    ),
    "",
    "![Simulated against published](published.svg)",
    "",
    "## Compared",
    "",
    ...markdownTable(
      ["class", "claim", "published", "simulated", "difference", "verdict", "rows", "how"],
      lines.map((line) => [
        line.class,
        line.name,
        `${short(line.published)} ${line.unit}`,
        short(line.simulated),
        differenceText(line),
        line.met ? "met" : "**missed**",
        line.ids.join(" "),
        line.how,
      ]),
    ),
    "",
    "## Missed, and why",
    "",
    "`npm run validate -- --published --experiments` runs what some of these causes were tested with.",
    "",
    ...missed.map(({ name, missedBecause }) => `- **${name}**: ${missedBecause ?? "unexplained"}.`),
    "",
    "## Not expressible",
    "",
    ...markdownTable(
      ["reason", "rows"],
      [...rows.notCompared].map(([reason, ids]) => [reason, `${ids.length}: ${ids.join(" ")}`]),
    ),
    "",
    "## Calibration",
    "",
    `These feed a cost file, a processor preset or what a paper leaves open of a program, and are compared with nothing: ${rows.calibration.join(" ")}.`,
    "",
    `Recalled, not read in their source, and compared with nothing: ${rows.hints.join(" ")}.`,
    "",
  ].join("\n");
}
