/**
 * Rows of `shadewalk dma` for a terminal: schemes below each other, counts per mapping where that says more.
 */
import type { FuzzedScheme } from "../host/dma/fuzz-schemes.ts";
import type { FuzzedBeside } from "../host/beside/fuzz-many.ts";
import type { DmaRow } from "../host/dma/run-dma.ts";
import { gridLines } from "../report/text-grid.ts";

interface Column {
  readonly header: readonly string[];
  readonly text: (row: DmaRow) => string;
}

const each = (count: number, { maps }: DmaRow) => (maps === 0 ? "–" : (count / maps).toFixed(2));

const columns: readonly Column[] = [
  { header: ["", "scheme"], text: ({ scheme }) => scheme },
  { header: ["", "exits"], text: ({ exits }) => String(exits) },
  { header: ["exits", "per map"], text: (row) => each(row.exits, row) },
  { header: ["", "polls"], text: ({ polls }) => String(polls) },
  { header: ["page", "requests"], text: ({ pageRequests }) => String(pageRequests) },
  { header: ["host calls", "per map"], text: (row) => each(row.hostCalls, row) },
  { header: ["invalidations", "per map"], text: (row) => each(row.hostSubmissions, row) },
  {
    header: ["IOTLB misses", "per request"],
    text: ({ tlbMisses, requests }) => (tlbMisses / Math.max(1, requests)).toFixed(2),
  },
  {
    header: ["references", "per miss"],
    text: ({ references, tlbMisses }) =>
      tlbMisses === 0 ? "–" : (references / tlbMisses).toFixed(1),
  },
  { header: ["pages", "copied"], text: ({ pagesCopied }) => String(pagesCopied) },
  {
    header: ["pinned", "at most"],
    text: ({ family, pinnedPeak, guestPages }) =>
      family === "bare" ? "–" : `${((100 * pinnedPeak) / guestPages).toFixed(1)} %`,
  },
  {
    header: ["exposed", "us per page"],
    text: ({ exposedMicroseconds, pagesUnmapped }) =>
      pagesUnmapped === 0 ? "–" : (exposedMicroseconds / pagesUnmapped).toFixed(0),
  },
  { header: ["", "faults"], text: ({ faults }) => String(faults) },
];

export function dmaText(title: string, summary: string, rows: readonly DmaRow[]): string {
  const [first] = rows;
  const grid = columns.map(({ header, text }, i) => ({
    align: i === 0 ? ("left" as const) : ("right" as const),
    header,
    cells: rows.map((row) => [{ text: text(row), style: "plain" as const }]),
  }));
  const lines = [
    `${title}: ${summary}`,
    first === undefined
      ? ""
      : `${first.maps} mappings of ${first.pagesMapped} pages, ${first.requests} page requests of the device`,
    "",
    ...gridLines(grid, false),
  ];
  const checked = rows.reduce((sum, row) => sum + row.checked, 0);
  if (checked > 0) {
    const wrong = rows.reduce((sum, { mismatches }) => sum + mismatches, 0);
    lines.push("", `The oracle checked ${checked} accesses: ${wrong} went wrong.`);
  }
  return lines.join("\n");
}

/** One scheme's fuzz run, and its first mismatch if there is one. */
export function fuzzLine({
  scheme,
  flush,
  seeds,
  maps,
  checked,
  refused,
  staleReached,
  wrong,
}: FuzzedScheme): string {
  const counts = `${maps} mappings, ${checked} accesses checked, ${refused} refused`;
  const exposed = staleReached === 0 ? "" : `, ${staleReached} after unmap and before the flush`;
  const [first] = wrong;
  const verdict =
    first === undefined
      ? "ok"
      : `${first.kind} ${first.access} of IO page ${first.page} by device ${first.source}, seed ${first.seed}`;
  return `${scheme} ${flush}: ${seeds} seeds, ${counts}${exposed}: ${verdict}`;
}

/** The same of guests that run beside their devices. */
export function besideLine(one: FuzzedBeside): string {
  const { scheme, flush, seeds, deviceAccesses, cpuAccesses, hostEvents, migrations } = one;
  const several =
    one.severalVcpus > 0
      ? `, ${one.severalVcpus} with several processors (${one.shootdowns} flushes reached another one)`
      : "";
  const counts = `${deviceAccesses} accesses of devices and ${cpuAccesses} of processors checked`;
  const host = `${hostEvents} acts of the host, ${migrations} migrations`;
  return `${scheme} ${flush}: ${seeds} seeds${several}, ${counts}, ${host}: ${one.wrong ?? "ok"}`;
}
