/** The tables of docs/linux-guests.md: exits by reason and slowdown of recorded Linux guests, from the rows of a sweep. */
import type { PointKey, PointRow } from "../bench/results/result.ts";
import { markdownTable } from "../report/markdown-table.ts";

type HostPageSize = PointKey["backing"];

/** The schemes of the tables, in their order, and what they are called there. */
const schemes = {
  shadow: "trap on write",
  "shadow-vtlb": "virtual TLB",
  "shadow-lazy": "lazy",
  ept: "EPT",
  npt: "NPT",
} as const;
type Scheme = keyof typeof schemes;
const names = Object.keys(schemes) as Scheme[];

/** Markdown of each table by the name of its place in the document. Points that are missing leave out their guest. */
export function linuxTables(points: readonly PointRow[]): Readonly<Record<string, string>> {
  const measured = points.filter(({ region }) => region === "measured");
  const guests = Map.groupBy(measured, ({ key }) => key.workload);
  const find = (guest: string, engine: string, backing: HostPageSize) =>
    guests.get(guest)?.find(({ key }) => key.engine === engine && key.backing === backing);
  const table = (
    heads: readonly string[],
    cells: (guest: string) => readonly (string | undefined)[],
  ) => {
    const rows = [...guests.keys()].flatMap((guest) => {
      const row = cells(guest).filter((cell) => cell !== undefined);
      return row.length < heads.length ? [] : [[guest.replace("linux:", ""), ...row]];
    });
    return markdownTable(["guest", ...heads], rows, "right").join("\n");
  };
  const exits = (backing: HostPageSize) =>
    table([...names.map((name) => schemes[name]), "other exits"], (guest) => [
      ...names.map((name) => reasons(find(guest, name, backing))),
      others(find(guest, "ept", backing)),
    ]);
  const pairs = names.flatMap((name) => (["4k", "2m"] as const).map((size) => ({ name, size })));
  const slowdowns = table(
    pairs.map(({ name, size }) => `${schemes[name]}, ${size.toUpperCase()}`),
    (guest) => pairs.map(({ name, size }) => find(guest, name, size)?.slowdown?.toFixed(2)),
  );
  return { "exits-4k": exits("4k"), "exits-2m": exits("2m"), slowdown: slowdowns };
}

/** All exits for memory, and where there is more than one reason, #PF, CR3 accesses and INVLPG. */
function reasons(row: PointRow | undefined): string | undefined {
  if (row === undefined) return undefined;
  const { exitsPageFault, exitsCr3Write, exitsCr3Read, exitsInvlpg } = row.counters;
  const { exits, exitsCpuid, exitsOther } = row.counters;
  const parts = [exitsPageFault, exitsCr3Write + exitsCr3Read, exitsInvlpg];
  const total = figure(exits - exitsCpuid - exitsOther);
  return parts.every((part) => part === 0) ? total : `${total} (${parts.map(figure).join(" + ")})`;
}

/** CPUID, ports and interrupts: the same under every scheme. */
function others(row: PointRow | undefined): string | undefined {
  return row === undefined ? undefined : figure(row.counters.exitsCpuid + row.counters.exitsOther);
}

function figure(value: number): string {
  return value.toLocaleString("en-US");
}

/** The document with these tables in their places: each stands behind `<!-- name -->`, up to the next blank line. */
export function withTables(text: string, tables: Readonly<Record<string, string>>): string {
  return Object.entries(tables).reduce((whole, [name, table]) => {
    const place = new RegExp(`(<!-- ${name} -->\n\n)(?:\\|.*\n)*`);
    if (!place.test(whole)) throw new Error(`bug: linux-tables: no place for ${name}`);
    return whole.replace(place, (_all, mark: string) => `${mark}${table}\n`);
  }, text);
}
