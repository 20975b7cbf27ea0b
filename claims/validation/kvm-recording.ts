/**
 * What `scripts/kvm-compare record` leaves: a real machine's exits, cut into the phases that the guest told by a port.
 *
 * A folder with `host.txt` (names and values, a line each) and `exits.txt`, the tracepoints kvm_exit and kvm_pio as `perf
 * script` prints them. The first byte at the port begins, every later one ends a phase, as in recorded guests. Without
 * any, all that was recorded is one phase.
 *
 * Source: Linux arch/x86/kvm/trace.h, TRACE_EVENT(kvm_pio); tools/perf/builtin-script.c for what was lost.
 */
import { join } from "node:path";
import { ConfigError } from "../../bench/input/config-error.ts";
import { readTextFile } from "../../bench/input/text-file.ts";
import type { ExitCause } from "../../bench/results/exit-names.ts";
import { kvmExitLine } from "./kvm-exit-line.ts";

/** Exits of a phase. */
export interface KvmPhase {
  /** By cause; one that a kernel's line leaves open counts as the first that it may be. */
  readonly causes: ReadonlyMap<ExitCause, number>;
  /** Those that memory has no part in, by the tracepoint's names. */
  readonly others: ReadonlyMap<string, number>;
}

export interface KvmRecording {
  readonly phases: readonly KvmPhase[];
  /** Of host.txt. */
  readonly host: ReadonlyMap<string, string>;
  /** Was there a byte at the port? */
  readonly isCut: boolean;
}

export function readKvmRecording(folder: string, port: number): KvmRecording {
  const host = readHost(join(folder, "host.txt"));
  const file = join(folder, "exits.txt");
  return { host, ...cutIntoPhases(readTextFile("kvm recording", file), file, port) };
}

function readHost(file: string): Map<string, string> {
  const lines = readTextFile("kvm recording", file).split("\n");
  return new Map(
    lines.flatMap((line) => {
      const [, name, value] = /^(\S+) (.*)$/.exec(line) ?? [];
      return name === undefined || value === undefined ? [] : [[name, value]];
    }),
  );
}

interface Counting {
  readonly causes: Map<ExitCause, number>;
  readonly others: Map<string, number>;
}

export function cutIntoPhases(
  text: string,
  file: string,
  port: number,
): Pick<KvmRecording, "phases" | "isCut"> {
  const phases: Counting[] = [];
  let now: Counting = { causes: new Map(), others: new Map() };
  let marks = 0;
  let exits = 0;
  for (const [i, line] of text.split("\n").entries()) {
    if (/PERF_RECORD_LOST|^LOST /.test(line)) {
      const why = "perf lost events, so no count holds; record again with a larger --buffer";
      throw new ConfigError(`${file}, line ${i + 1}: ${why}`);
    }
    const exit = kvmExitLine(line);
    if (exit !== null) {
      exits += 1;
      const [cause] = exit.causes;
      if (cause === undefined) add(now.others, exit.name);
      else add(now.causes, cause);
    } else if (writtenPort(line) === port) {
      // What came before the first byte is the guest's boot.
      if (marks > 0) phases.push(now);
      marks += 1;
      now = { causes: new Map(), others: new Map() };
    }
  }
  if (exits === 0) throw new ConfigError(`${file}: no line of the tracepoint kvm_exit`);
  return { phases: marks === 0 ? [now] : phases, isCut: marks > 0 };
}

function add<Key>(counts: Map<Key, number>, key: Key): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

/** The port of `kvm_pio: pio_write at 0x511 size 1 count 1 val 0x1`; null for any other line. */
function writtenPort(line: string): number | null {
  const text = /\bkvm_pio:.*\bpio_write at 0x([\da-f]+)/.exec(line)?.[1];
  return text === undefined ? null : Number.parseInt(text, 16);
}

/** Mode of the ground truth that the host's modules were loaded with, by what host.txt says of their parameters. */
export function modeOfHost(host: ReadonlyMap<string, string>): string {
  const isOn = (name: string, otherwise: boolean) => {
    const value = host.get(name);
    return value === undefined ? otherwise : /^[Yy1]$/.test(value);
  };
  const isLegacy = !isOn("kvm.tdp_mmu", true);
  if (host.has("kvm_intel.ept")) {
    if (!isOn("kvm_intel.ept", true)) return "shadow";
    const isPml = isOn("kvm_intel.pml", true);
    if (isLegacy) return isPml ? "ept_legacy" : "ept_legacy_nopml";
    if (!isOn("kvm_intel.eptad", true)) return "ept_noad";
    return isPml ? "ept" : "ept_nopml";
  }
  if (!isOn("kvm_amd.npt", true)) return "shadow";
  return isLegacy ? "npt_legacy" : "npt";
}
