/**
 * A dirty-log run as text: a line per phase; columns that are zero everywhere are left out.
 */
import type { DirtyLogPhase } from "../host/dirty-log/run-dirty-log.ts";
import { exitCauses } from "../bench/results/result.ts";
import { type GridColumn, gridLines } from "../report/text-grid.ts";

interface Column {
  readonly header: string;
  readonly valueOf: (phase: DirtyLogPhase) => number;
}

const columns: readonly Column[] = [
  { header: "accesses", valueOf: ({ ledger }) => ledger.accesses },
  { header: "reported pages", valueOf: ({ pagesReported }) => pagesReported },
  { header: "VM exits", valueOf: ({ ledger }) => ledger.exits },
  ...exitCauses.map((cause): Column => {
    return { header: cause, valueOf: ({ ledger }) => ledger[`exits${cause}`] };
  }),
  { header: "ring full", valueOf: ({ ledger }) => ledger.dirtyRingFulls },
  { header: "logged by PML", valueOf: ({ ledger }) => ledger.pmlAppends },
  { header: "armed pages", valueOf: armed },
  { header: "scanned leaves", valueOf: ({ ledger }) => ledger.dirtyScanEntries },
  { header: "leaves split", valueOf: ({ ledger }) => ledger.hugePagesSplit },
  { header: "leaves back", valueOf: ({ ledger }) => ledger.hugePagesCollapsed },
  { header: "IPIs", valueOf: ({ ledger }) => ledger.remoteInterrupts },
  { header: "guest refs", valueOf: ({ ledger }) => ledger.walkReferencesGuest },
  { header: "nested refs", valueOf: ({ ledger }) => ledger.walkReferencesNested },
  { header: "kcycles", valueOf: ({ cyclesTotal }) => Math.round(cyclesTotal / 1000) },
];

/** `gigahertz` turns cycles into time; null leaves the column out. */
export function phasesText(phases: readonly DirtyLogPhase[], gigahertz: number | null): string {
  const counted = columns.filter(({ valueOf }) => phases.some((phase) => valueOf(phase) !== 0));
  const names: GridColumn = {
    align: "left",
    header: ["phase"],
    cells: phases.map(({ name, iteration }) =>
      cell(iteration === null ? name : `${name} ${iteration}`),
    ),
  };
  const numbers = counted.map(({ header, valueOf }): GridColumn => {
    return {
      align: "right",
      header: header.split(" "),
      cells: phases.map((phase) => cell(grouped(valueOf(phase)))),
    };
  });
  const times: GridColumn = {
    align: "right",
    header: ["ms"],
    cells: phases.map(({ cyclesTotal }) =>
      cell(gigahertz === null ? "" : (cyclesTotal / gigahertz / 1e6).toFixed(3)),
    ),
  };
  const grid = gigahertz === null ? [names, ...numbers] : [names, ...numbers, times];
  return gridLines(grid, false).join("\n");
}

function armed({ ledger }: DirtyLogPhase): number {
  return ledger.entriesWriteProtected + ledger.entriesDirtyCleared;
}

function cell(text: string) {
  return [{ text, style: "plain" as const }];
}

/** Digits in groups of three; a zero reads as nothing. */
function grouped(value: number): string {
  return value === 0 ? "." : value.toString().replace(/\B(?=(?:\d{3})+$)/g, "_");
}
