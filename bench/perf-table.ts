/**
 * Reads what Linux says about a real virtual machine: `perf kvm stat report` and KVM's debugfs counters.
 *
 * perf times an exit from the tracepoint kvm_exit to kvm_entry: the hypervisor's work, without the switch
 * itself. Its averages are in microseconds of the host's clock.
 */
import { ConfigError, quote } from "./config-error.ts";

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

const rowPattern =
  /^\s*(\S.*?)\s+(\d+)\s+[\d.]+%\s+[\d.]+%\s+[\d.]+us\s+[\d.]+us\s+([\d.]+)us(?:\s|$)/;

/** The rows of the table; text around it, such as a shell prompt, is passed over. */
export function readPerfTable({ name, text }: TextFile): PerfRow[] {
  const lines = text.split(/\r?\n/);
  const header = lines.findIndex((line) => /VM-EXIT\s+Samples\s+Samples%\s+Time%/.test(line));
  if (header < 0) {
    throw new ConfigError(
      `${name}: no table of \`perf kvm stat report\`: a line "VM-EXIT Samples Samples% Time% ..." is missing`,
    );
  }
  const rows: PerfRow[] = [];
  for (const [index, line] of lines.entries()) {
    if (index <= header || line.trim() === "") continue;
    if (line.trimStart().startsWith("Total Samples")) break;
    const [, reason = "", samples = "", average = ""] = rowPattern.exec(line) ?? [];
    const averageMicroseconds = Number(average);
    if (reason === "" || !Number.isFinite(averageMicroseconds)) {
      throw new ConfigError(
        `${name}:${index + 1}: ${quote(line.trim())}: must be a reason, its samples, two shares in % and three times in us`,
      );
    }
    rows.push({ line: index + 1, reason, samples: Number(samples), averageMicroseconds });
  }
  if (rows.length === 0) throw new ConfigError(`${name}:${header + 1}: the table has no rows`);
  return rows;
}

/**
 * Counters of /sys/kernel/debug/kvm, one a line: `pf_fixed 123`, `.../kvm/pf_fixed:123` as `grep -H .`
 * prints them, or kvm_stat's columns.
 */
export function readKvmCounters({ name, text }: TextFile): ReadonlyMap<string, number> {
  const counters = new Map<string, number>();
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const content = line.trim();
    if (content === "" || content.startsWith("#")) continue;
    const [, counter, value] =
      /^(?:\S*\/)?([a-z][a-z0-9_]*)\s*[:=\s]\s*(\d+)\b/.exec(content) ?? [];
    if (counter === undefined) {
      throw new ConfigError(
        `${name}:${index + 1}: ${quote(content)}: must be a counter's name and its value`,
      );
    }
    counters.set(counter, Number(value));
  }
  if (counters.size === 0) throw new ConfigError(`${name}: no counters in it`);
  return counters;
}
