/**
 * Reads what `perf kvm stat` says about a real virtual machine.
 *
 * perf times an exit from the tracepoint kvm_exit to kvm_entry: the hypervisor's work, without the switch
 * itself. Its averages are in microseconds of the host's clock. What stands between two lines of the file
 * differs by version, so the columns are those that the header names:
 *
 *     VM-EXIT    Samples  Samples%     Time%         Avg time                               Linux 3.7 to 3.12
 *     VM-EXIT    Samples  Samples%     Time%    Min Time    Max Time         Avg time       since
 *     Event name    Samples   Sample%    Time (ns)     Time%   Max Time (ns) ...            6.4's browser, saved
 *
 * perf reports on standard error, so among the rows stand its warnings, such as `unknown kvm exit code`.
 * `perf kvm stat live` prints a table per interval. Source: Linux tools/perf/builtin-kvm.c.
 */
import { ConfigError, quote } from "../input/config-error.ts";

export { readKvmCounters } from "./kvm-counters.ts";

export interface TextFile {
  readonly name: string;
  readonly text: string;
}

/** One reason of a `perf kvm stat` table. */
export interface PerfRow {
  readonly line: number;
  /** As perf prints it: EPT_VIOLATION, CR_ACCESS, npf, ... */
  readonly reason: string;
  readonly samples: number;
  readonly averageMicroseconds: number;
}

export interface PerfTable {
  /** Of its header. */
  readonly line: number;
  readonly rows: readonly PerfRow[];
}

const howToSave = "save it with `perf kvm stat report --event=vmexit 2> perf.txt | cat`";
const titles = /^\W*(VM-EXIT|Event name|MMIO Access|IO Port Access)\s+(Samples\s.*)$/;
const columnName = /Samples?%?|Time%|(?:(?:Min|Max|Avg|Mean) )?time(?: ?\(ns\))?/gi;
/** What the terminal was told by `perf kvm stat live`. */
// oxlint-disable-next-line no-control-regex
const terminalCodes = /\u001b\[[\d;]*[A-Za-z]/g;

/** Reads one row of the table whose header it was made from; null where a line is none. */
type RowReader = (text: string, line: number) => PerfRow | null;

/** The rows of every table of exits; text around and between them is passed over. */
export function readPerfTables({ name, text }: TextFile): PerfTable[] {
  if (text.trim() === "") {
    throw new ConfigError(
      `${name}: empty, for perf writes its table to standard error: ${howToSave}`,
    );
  }
  const tables: { line: number; rows: PerfRow[] }[] = [];
  let read: RowReader | null = null;
  let other = "";
  for (const [index, raw] of text.replaceAll(terminalCodes, "").split(/\r?\n/).entries()) {
    const line = index + 1;
    const [, title, columns = ""] = titles.exec(raw) ?? [];
    if (title !== undefined) {
      read = null;
      if (title === "VM-EXIT" || title === "Event name") {
        read = rowReader(columns, `${name}:${line}`);
        tables.push({ line, rows: [] });
      } else other = title;
    } else if (/^\W*Total Samples/.test(raw)) read = null;
    else if (read !== null) {
      const row = read(raw, line);
      if (row !== null) tables.at(-1)?.rows.push(row);
      else if (isBrokenRow(raw)) throw new ConfigError(`${name}:${line}: ${complaint(raw)}`);
    }
  }
  const filled = tables.filter(({ rows }) => rows.length > 0);
  if (filled.length > 0) return filled;
  if (tables[0] !== undefined)
    throw new ConfigError(`${name}:${tables[0].line}: the table has no rows`);
  throw new ConfigError(`${name}: ${whatInstead(text, other)}`);
}

/** The rows of all tables, one after the other. */
export function readPerfTable(file: TextFile): PerfRow[] {
  return readPerfTables(file).flatMap(({ rows }) => rows);
}

function rowReader(columns: string, at: string): RowReader {
  const names = (columns.match(columnName) ?? []).map((name) => name.toLowerCase());
  const count = names.indexOf("samples");
  const mean = names.findIndex((name) => /^(?:avg|mean) /.test(name));
  if (count < 0 || mean < 0) {
    throw new ConfigError(
      `${at}: ${quote(columns.trim())}: must name Samples and Avg time among its columns`,
    );
  }
  const values = names.map((name) => {
    if (name === "samples") return "(\\d+)";
    if (name.endsWith("%")) return "((?:[\\d.]+|-?nan)%)";
    return name.endsWith("(ns)") ? "([\\d.]+)" : "([\\d.]+)us";
  });
  const pattern = new RegExp(`^[\\s>|#]*(\\S.*?)\\s+${values.join("\\s+")}(?:\\s|$)`);
  const microsecond = names[mean]?.endsWith("(ns)") === true ? 1000 : 1;
  return (text, line) => {
    const [, reason, ...read] = pattern.exec(text) ?? [];
    const averageMicroseconds = Number(read[mean]) / microsecond;
    if (reason === undefined || !Number.isFinite(averageMicroseconds)) return null;
    return { line, reason, samples: Number(read[count]), averageMicroseconds };
  };
}

/** Two shares, or a name, a number and a share: nothing else that perf says has them. */
function isBrokenRow(text: string): boolean {
  return (
    (text.match(/[\d.]+%/g) ?? []).length >= 2 || /^\s*\w+(?: excp)?\s+\d+\s+[\d.]+%/.test(text)
  );
}

function complaint(row: string): string {
  return `${quote(row.trim())}: must be a reason, its samples, shares in % and times in us, as the header has them`;
}

function whatInstead(text: string, other: string): string {
  if (other !== "") return `its table is of ${other}; ${howToSave}`;
  if (text.startsWith("PERFILE")) return `is perf's recording, not its table; ${howToSave}`;
  return `no table of \`perf kvm stat report\`: a line "VM-EXIT Samples Samples% Time% ..." is missing; ${howToSave}`;
}
