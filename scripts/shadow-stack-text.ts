/** Shadow stacks as text: what a call costs, then which attacks hold, a line per scheme. */
import type { StackRow } from "../policies/stack/stack-rows.ts";
import { stackAttacks } from "../policies/stack/stack-attacks.ts";
import { type GridColumn, gridLines } from "../report/text-grid.ts";

export function shadowStackText(rows: readonly StackRow[]): string {
  const cell = (text: string | number) => [{ text: `${text}`, style: "plain" as const }];
  const column = (
    align: GridColumn["align"],
    header: string[],
    of: (row: StackRow) => string | number,
  ): GridColumn => ({ align, header, cells: rows.map((row) => cell(of(row))) });
  const names = column("left", ["scheme"], ({ scheme }) => scheme);
  const attackNames = [
    ...new Set(rows.flatMap(({ attacks }) => attacks.map(({ attack }) => attack))),
  ];
  const width = Math.max(...rows.map(({ scheme }) => scheme.length));
  const attackWidth = Math.max(...attackNames.map((name) => name.length));
  const cost = [
    names,
    column("right", ["exits", "a call"], ({ exitsPerCall }) => exitsPerCall),
    column("right", ["views", "a call"], ({ viewsPerCall }) => viewsPerCall),
    column("right", ["cycles", "a call"], ({ cyclesPerCall }) => cyclesPerCall),
    column("right", ["slow-", "down"], ({ slowdown }) => `x${slowdown}`),
  ];
  const attacks = attackNames.map((attack) =>
    column("left", [attack], ({ attacks: all }) => {
      const outcome = all.find((one) => one.attack === attack);
      return outcome === undefined
        ? ""
        : `${outcome.isBroken ? "BROKEN" : "held"} ${outcome.exits}`;
    }),
  );
  return [
    "A call with its return, and the program's slowdown by it:",
    "",
    ...gridLines(cost, false),
    "",
    "Attacks on the shadow stack, and the exits that each took:",
    "",
    ...gridLines([names, ...attacks], false),
    "",
    "Schemes:",
    ...rows.map(({ scheme, title }) => `  ${scheme.padEnd(width)}  ${title}`),
    "",
    "Attacks, by code of the guest's kernel:",
    ...attackNames.map((name) => `  ${name.padEnd(attackWidth)}  ${stackAttacks[name].title}`),
  ].join("\n");
}
