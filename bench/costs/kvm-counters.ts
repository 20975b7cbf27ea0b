/**
 * Reads KVM's counters of /sys/kernel/debug/kvm, what happened between two readings.
 *
 * One a line: `pf_fixed 123`, `.../kvm/pf_fixed:123` as `grep -H .` prints them, or kvm_stat's columns. Most
 * count up; a few say what is there now, and their difference may be negative. A folder below holds one
 * machine's, the top has the sums. Source: Linux arch/x86/kvm/x86.c (kvm_vm_stats_desc, kvm_vcpu_stats_desc),
 * arch/x86/kvm/debugfs.c; older names from its debugfs_entries.
 */
import { ConfigError, quote } from "../input/config-error.ts";

/** Values of a moment and peaks; all else counts. */
const gauge =
  /^(?:mmu_unsync|l(?:arge)?pages|guest_mode|blocking|lapic_timer_advance_ns|pid|(?:pages|max|nx)_.*|tsc-.*|.*_pages)$/;

/** A path, a name, perhaps with an exit's in brackets, and a value. */
const entry = /^(?:(\S*)\/)?([a-z][\w-]*(?:\(\w+\))?)\s*[:=\s]\s*(-?\d+)(?![\w.])/;
/** What grep and kvm_stat print beside values, and the files below a machine that are tables. */
const noCounter = /^#|^grep: |Is a directory$|^(?:Event|Total)\b|mmu_rmaps_stat:/;

interface NamedText {
  readonly name: string;
  readonly text: string;
}

/** Values by name: of the top folder where it has the name, else the sum of the machines'. */
export function readKvmCounters({ name, text }: NamedText): ReadonlyMap<string, number> {
  const read = new Map<string, { depth: number; value: number }>();
  const lines = new Map<string, number>();
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const content = raw.trim();
    if (content === "" || noCounter.test(content)) continue;
    const at = `${name}:${index + 1}`;
    const [, folder = "", counter, digits] = entry.exec(content) ?? [];
    if (counter === undefined) {
      throw new ConfigError(`${at}: ${quote(content)}: must be a counter's name and its value`);
    }
    const value = Number(digits);
    if (value < 0 && !gauge.test(counter)) {
      throw new ConfigError(
        `${at}: ${quote(content)}: a counter never falls: must be after minus before`,
      );
    }
    const path = `${folder}/${counter}`;
    const before = lines.get(path);
    if (before !== undefined) {
      throw new ConfigError(
        `${at}: ${quote(content)}: stands in line ${before} too: must be after minus before`,
      );
    }
    lines.set(path, index + 1);
    const depth = folder === "" ? 0 : folder.split("/").length;
    const known = read.get(counter);
    if (known === undefined || depth < known.depth) read.set(counter, { depth, value });
    else if (depth === known.depth) known.value += value;
  }
  if (read.size === 0) throw new ConfigError(`${name}: no counters in it; only root may read them`);
  return new Map([...read].map(([counter, { value }]) => [counter, value]));
}
