/**
 * Published rows that fix what a paper leaves open of a claim's program. They went in, so no claim may predict them.
 */
export interface Fit {
  readonly rows: readonly string[];
  readonly fixes: string;
}

export const fits: readonly Fit[] = [
  {
    rows: ["AA06-028", "AA06-030", "AA06-040"],
    fixes: "pages of forkwait's process, by the ratio on the Pentium 4; the Core 2 is predicted",
  },
  {
    rows: ["DS22-007"],
    fixes:
      "cycles that a violation keeps other vCPUs out, by 96 vCPUs; fewer vCPUs and fewer writes are predicted",
  },
];
