/**
 * A user program's accesses as a `vmmu-trace 3` of their own: page tables of all pages that it touches, then the
 * accesses, in user mode.
 *
 * Model: every page is mapped from the start and stays so; what the program's kernel did is not in such traces. Bias:
 * for shadow paging, which pays for changes. Played as it is, the same file runs on the guest operating system, which
 * maps pages at their first touch.
 */
import { hexAddress } from "../../machine/address.ts";
import { lackeyLine, type LackeyLine } from "./lackey-lines.ts";
import { LineSplitter } from "./lines.ts";
import type { OpenTrace } from "./open.ts";
import { TraceError } from "./trace-error.ts";

type Access = Extract<LackeyLine, { kind: "record" }>;

const pageBytes = 4096;
const entriesPerTable = 512;
const levels = 4;
/** Present, writable, user; accessed and dirty come with the accesses. */
const entryFlags = 7;
const rootFrame = 0x200;
/** The format's own step. */
const memoryStep = 4096;

/** `open` is called twice: pages are known only at the end of the program. */
export async function* toVmmu(open: () => Promise<OpenTrace>): AsyncGenerator<string> {
  const pages = new Set<number>();
  const from = await open();
  if (from.format !== "lackey") {
    throw new TraceError({
      file: from.file,
      line: 0,
      field: "trace format",
      value: from.format,
      allowed: "what holds a user program's accesses: see workloads/trace/FORMAT.md",
    });
  }
  for await (const accesses of accessesOf(from)) {
    for (const access of accesses) for (const page of pagesOf(access)) pages.add(page);
  }
  yield header(pages, from.imported ?? "valgrind lackey");
  for await (const accesses of accessesOf(await open())) {
    yield accesses.flatMap(opsOf).join("");
  }
}

async function* accessesOf({ bytes, file }: OpenTrace): AsyncGenerator<Access[]> {
  let accesses: Access[] = [];
  const splitter = new LineSplitter(file, (piece, start, end) => {
    const line = lackeyLine(Buffer.from(piece.subarray(start, end)).toString("utf8"));
    if (line.kind === "record") accesses.push(line);
  });
  for await (const piece of bytes) {
    splitter.push(piece);
    yield accesses;
    accesses = [];
  }
  splitter.end();
  yield accesses;
}

function pagesOf({ digits, bytes }: Access): number[] {
  const address = Number.parseInt(digits, 16);
  const first = Math.floor(address / pageBytes);
  const last = Math.floor((address + bytes - 1) / pageBytes);
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

const letters = { I: ["x"], L: ["r"], S: ["w"], M: ["r", "w"] } as const;

/** An access of eight bytes within a page, one for each page that is touched. */
function opsOf(access: Access): string[] {
  const address = Number.parseInt(access.digits, 16);
  return letters[access.letter].flatMap((letter) =>
    pagesOf(access).map((page, index) => {
      const at = index === 0 ? address - (address % 8) : page * pageBytes;
      return `${letter} ${at.toString(16)}\n`;
    }),
  );
}

function header(pages: ReadonlySet<number>, tool: string): string {
  const sorted = [...pages].toSorted((a, b) => a - b);
  const { fills, framesEnd } = pageTables(sorted);
  return `${[
    "# vmmu-trace 3",
    `# from ${tool}: user-only, ${sorted.length} pages, all mapped from the start`,
    `memory ${(Math.ceil(framesEnd / memoryStep) * memoryStep * pageBytes).toString(16)}`,
    ...fills,
    `boot ${hexAddress(rootFrame)}`,
    "user",
  ].join("\n")}\n`;
}

/** Tables from the root's frame on, in the order in which sorted pages need them; pages lie behind them. */
function pageTables(sorted: readonly number[]): { fills: string[]; framesEnd: number } {
  const tables = new Map<string, number>([["4:0", rootFrame]]);
  const nameOf = (level: number, page: number) =>
    `${level}:${Math.floor(page / entriesPerTable ** level)}`;
  for (const page of sorted) {
    for (let level = levels - 1; level > 0; level--) {
      const name = nameOf(level, page);
      if (!tables.has(name)) tables.set(name, rootFrame + tables.size);
    }
  }
  const firstPage = rootFrame + tables.size;
  const entries = new Map<string, string>();
  sorted.forEach((page, index) => {
    for (let level = levels; level > 0; level--) {
      const table = tables.get(level === levels ? "4:0" : nameOf(level, page)) ?? rootFrame;
      const below = level === 1 ? firstPage + index : (tables.get(nameOf(level - 1, page)) ?? 0);
      const entry = Math.floor(page / entriesPerTable ** (level - 1)) % entriesPerTable;
      const place = hexAddress(table, entry * 8);
      entries.set(place, hexAddress(below, entryFlags));
    }
  });
  const fills = [...entries].map(([place, value]) => `fill ${place} 1 ${value} 0`);
  return { fills, framesEnd: firstPage + sorted.length };
}
