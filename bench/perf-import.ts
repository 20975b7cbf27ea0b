/**
 * A cost file from a user's own machine: measured exits in place of assumed ones.
 *
 * perf gives the mean time of each exit reason, all work of the hypervisor included. Without more, that is
 * the reason's handler, and single events cost nothing on top. With KVM's debugfs counters of the same run
 * the time of memory exits is divided: all software prices of the base file keep their proportions and are
 * scaled so that they add up to what perf measured.
 *
 * Model: the switch itself and what it does to caches are outside perf's two tracepoints, so they stay the
 * base file's; guest work and walks as well. Bias: unknown, as the base file's machine is not yours.
 */
import { parseDocument } from "yaml";
import { ConfigError } from "./config-error.ts";
import { costText, parseCost } from "./cost-file.ts";
import { type CostModel, events } from "./cost.ts";
import { type PerfRow, readKvmCounters, readPerfTable, type TextFile } from "./perf-table.ts";
import type { ExitCause } from "./result.ts";

export interface PerfImport {
  /** Saved output of `perf kvm stat report --event=vmexit`. */
  readonly table: TextFile;
  /** Saved counters of /sys/kernel/debug/kvm over the same time, if there are any. */
  readonly counters: TextFile | null;
  /** Clock of the processor that ran it; perf prints microseconds only. */
  readonly megahertz: number;
  /** Name or path of the cost file that gives everything else. */
  readonly base: string;
}

export interface ImportedCost {
  /** The cost file. */
  readonly yaml: string;
  /** Reasons of the table that no exit of the simulator stands for, such as HLT. */
  readonly ignored: readonly string[];
}

/** Names of Intel's reasons, and of AMD's in lower case. */
const causesOf: Readonly<Record<string, readonly ExitCause[]>> = {
  // Model: perf does not tell #PF from other exceptions; under shadow paging nearly all are #PF.
  // Bias: none.
  EXCEPTION_NMI: ["PageFault"],
  "PF excp": ["PageFault"],
  EPT_VIOLATION: ["EptViolation"],
  npf: ["EptViolation"],
  // Model: one mean for all control registers. Bias: unknown; CR3 writes are nearly all of them.
  CR_ACCESS: ["Cr3Write", "Cr3Read", "Cr0Write", "Cr4Write"],
  write_cr3: ["Cr3Write"],
  read_cr3: ["Cr3Read"],
  write_cr0: ["Cr0Write"],
  write_cr4: ["Cr4Write"],
  INVLPG: ["Invlpg"],
  invlpg: ["Invlpg"],
  INVPCID: ["Invpcid"],
  invpcid: ["Invpcid"],
  CPUID: ["Cpuid"],
  cpuid: ["Cpuid"],
  PML_FULL: ["PmlFull"],
};

/** Exits in which memory management works; the others only pay their own handler. */
const memoryCauses: ReadonlySet<ExitCause> = new Set<ExitCause>([
  "PageFault",
  "EptViolation",
  "Cr3Write",
  "Invlpg",
  "Invpcid",
]);

type HypervisorEvent = keyof (typeof events)["hypervisor"];

/** KVM's names for what the simulator counts; the rest has no counter there. */
const eventsOf: Readonly<Record<string, HypervisorEvent>> = {
  pf_fixed: "faultFixed",
  pf_fast: "faultFast",
  pf_guest: "faultReflected",
  insn_emulation: "storeEmulated",
  mmu_pte_write: "pteWriteMirrored",
  mmu_cache_miss: "tableAllocated",
  mmu_shadow_zapped: "tableZapped",
};

/** What the host does about a page inside the exit that needs it. */
const hostFaults = [
  "fault",
  "majorFault",
  "shareBroken",
  "shareReused",
] as const satisfies readonly (keyof (typeof events)["host"])[];

interface Measured {
  readonly cause: ExitCause;
  readonly row: PerfRow;
  readonly cycles: number;
}

interface Edit {
  readonly path: readonly string[];
  readonly cycles: number;
  readonly reason: string;
}

export function importPerf({ table, counters, megahertz, base }: PerfImport): ImportedCost {
  const rows = readPerfTable(table);
  const measured = rows.flatMap((row) =>
    (causesOf[row.reason] ?? []).map((cause): Measured => ({
      cause,
      row,
      cycles: row.averageMicroseconds * megahertz,
    })),
  );
  if (measured.length === 0) {
    const known = Object.keys(causesOf).join(", ");
    throw new ConfigError(`${table.name}: no exit that costs here; known: ${known}`);
  }
  const source = costText(base);
  const model = parseCost(source.text, source.name);
  const included = `part of the measured exits of ${table.name}`;
  const edits = [
    ...(counters === null
      ? wholeHandlers(measured, included)
      : dividedHandlers(measured, readKvmCounters(counters), model)),
    ...hostFaults.map((name): Edit => ({ path: ["host", name], cycles: 0, reason: included })),
  ];
  const ignored = rows.filter(({ reason }) => causesOf[reason] === undefined);
  return {
    yaml: editedYaml(
      source.text,
      edits,
      `Measured by perf (${table.name}), the rest from ${model.name}`,
    ),
    ignored: ignored.map(({ reason }) => reason),
  };
}

/** Each reason's mean is its handler, and no event costs anything on top. */
function wholeHandlers(measured: readonly Measured[], included: string): Edit[] {
  // Reported and scanned pages belong to a system call of the dirty log, not to an exit.
  const inExits = Object.keys(events.hypervisor).filter((name) => !name.startsWith("dirty"));
  return [
    ...measured.map(({ cause, row, cycles }) => ({
      path: ["exits", cause, "handler"],
      cycles,
      reason: describe(row),
    })),
    ...inExits.map((name) => ({ path: ["hypervisor", name], cycles: 0, reason: included })),
  ];
}

/** Software prices scaled so that the memory exits of this run add up to their measured time. */
function dividedHandlers(
  measured: readonly Measured[],
  counters: ReadonlyMap<string, number>,
  model: CostModel,
): Edit[] {
  const memory = measured.filter(({ cause }) => memoryCauses.has(cause));
  // CR_ACCESS stands for several causes but its exits happened once.
  const byRow = new Map(memory.map((one) => [one.row, one]));
  let total = 0;
  let predicted = 0;
  for (const { cause, row, cycles } of byRow.values()) {
    total += row.samples * cycles;
    predicted += row.samples * model.exits[cause].handler;
  }
  for (const [counter, name] of Object.entries(eventsOf)) {
    predicted += (counters.get(counter) ?? 0) * model.events.hypervisor[name];
  }
  const scale = predicted === 0 ? 1 : total / predicted;
  const scaled = `price of ${model.name} times ${scale.toPrecision(3)}, so that memory exits add up to perf's time`;
  return [
    ...measured.map(({ cause, row, cycles }) =>
      memoryCauses.has(cause)
        ? {
            path: ["exits", cause, "handler"],
            cycles: scale * model.exits[cause].handler,
            reason: scaled,
          }
        : { path: ["exits", cause, "handler"], cycles, reason: describe(row) },
    ),
    ...Object.entries(model.events.hypervisor)
      .filter(([name]) => !name.startsWith("dirty"))
      .map(([name, cycles]) => ({
        path: ["hypervisor", name],
        cycles: scale * cycles,
        reason: scaled,
      })),
  ];
}

function describe({ reason, samples, averageMicroseconds }: PerfRow): string {
  return `mean of ${samples} exits ${reason}, ${averageMicroseconds} us each`;
}

/** The base file with other numbers: its order and its comments stay. */
function editedYaml(text: string, edits: readonly Edit[], title: string): string {
  const document = parseDocument(text);
  document.set("title", title);
  for (const { path, cycles, reason } of edits) {
    document.setIn([...path, "cycles"], Math.round(cycles));
    document.setIn([...path, "source"], "measured");
    document.setIn([...path, "reason"], reason);
  }
  return document.toString({ lineWidth: 0 });
}
