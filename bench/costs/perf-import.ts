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
import { ConfigError } from "../input/config-error.ts";
import { costText, parseCost } from "./cost-file.ts";
import { type CostModel, events } from "./cost.ts";
import { type ExitCause, exitNames, type Vendor } from "../results/exit-names.ts";
import { type PerfRow, readKvmCounters, readPerfTables, type TextFile } from "./perf-table.ts";

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
  /** How the file was read, where there was a choice. */
  readonly notes: readonly string[];
}

/** Which exits a reason of perf's stands for, on both vendors' processors. */
const causesOf: Readonly<Record<string, readonly ExitCause[]>> = {
  // Model: perf does not tell #PF from other exceptions on Intel; under shadow paging nearly all are #PF.
  // Bias: none.
  ...causesByName("intel"),
  // Model: AMD's npf times emulated device accesses too, which Intel calls EPT_MISCONFIG. Bias: for shadow,
  // by their share.
  ...causesByName("amd"),
  // Writes that change certain bits only, and writes that an encrypted guest has done already.
  cr0_sel_write: ["Cr0Write"],
  write_cr0_trap: ["Cr0Write"],
  cr0_write_trap: ["Cr0Write"],
  write_cr4_trap: ["Cr4Write"],
  cr4_write_trap: ["Cr4Write"],
};

function causesByName(vendor: Vendor): Record<string, readonly ExitCause[]> {
  return Object.fromEntries(exitNames[vendor].map(({ name, causes }) => [name, causes]));
}

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

/** One cause, over every row and table that has it. */
interface Measured {
  readonly cause: ExitCause;
  readonly samples: number;
  /** Mean over all samples. */
  readonly cycles: number;
  readonly reason: string;
}

interface Edit {
  readonly path: readonly string[];
  readonly cycles: number;
  readonly reason: string;
}

export function importPerf({ table, counters, megahertz, base }: PerfImport): ImportedCost {
  const tables = readPerfTables(table);
  const rows = tables.flatMap((one) => one.rows);
  const measured = measuredCauses(rows, megahertz);
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
  const title = `Measured by perf (${table.name}), the rest from ${model.name}`;
  const ignored = rows.filter(({ reason }) => causesOf[reason] === undefined);
  return {
    yaml: editedYaml(source.text, edits, title),
    ignored: [...new Set(ignored.map(({ reason }) => reason))],
    notes: tables.length === 1 ? [] : [`${table.name}: ${joined(tables)}`],
  };
}

function joined(tables: readonly { readonly line: number }[]): string {
  const lines = tables.map(({ line }) => line).join(", ");
  return `${tables.length} tables (lines ${lines}) taken together, means weighted by samples`;
}

/** Rows of one cause stand in several tables, or under several names; their times add up. */
function measuredCauses(rows: readonly PerfRow[], megahertz: number): Measured[] {
  const byCause = new Map<ExitCause, PerfRow[]>();
  for (const row of rows) {
    for (const cause of row.samples > 0 ? (causesOf[row.reason] ?? []) : []) {
      const known = byCause.get(cause);
      if (known === undefined) byCause.set(cause, [row]);
      else known.push(row);
    }
  }
  return [...byCause].map(([cause, all]) => {
    const samples = all.reduce((sum, row) => sum + row.samples, 0);
    const time = all.reduce((sum, row) => sum + row.samples * row.averageMicroseconds, 0);
    const names = [...new Set(all.map(({ reason }) => reason))].join(" and ");
    const times = all.map((row) => `${row.averageMicroseconds} us`);
    const each =
      all.length === 1
        ? `${times[0]} each`
        : `${times.join(", ")}, weighted by ${all.map((row) => row.samples).join(", ")} samples`;
    const reason = `mean of ${samples} exits ${names}, ${each}`;
    return { cause, samples, cycles: (time / samples) * megahertz, reason };
  });
}

/** Each reason's mean is its handler, and no event costs anything on top. */
function wholeHandlers(measured: readonly Measured[], included: string): Edit[] {
  // Reported and scanned pages belong to a system call of the dirty log, not to an exit.
  const inExits = Object.keys(events.hypervisor).filter((name) => !name.startsWith("dirty"));
  return [
    ...measured.map(handlerOf),
    ...inExits.map((name) => ({ path: ["hypervisor", name], cycles: 0, reason: included })),
  ];
}

/** Software prices scaled so that the memory exits of this run add up to their measured time. */
function dividedHandlers(
  measured: readonly Measured[],
  counters: ReadonlyMap<string, number>,
  model: CostModel,
): Edit[] {
  let total = 0;
  let predicted = 0;
  // No row has two of these causes: of CR_ACCESS, only CR3 writes are memory management.
  for (const { cause, samples, cycles } of measured.filter((one) => memoryCauses.has(one.cause))) {
    total += samples * cycles;
    predicted += samples * model.exits[cause].handler;
  }
  for (const [counter, name] of Object.entries(eventsOf)) {
    predicted += (counters.get(counter) ?? 0) * model.events.hypervisor[name];
  }
  const scale = predicted === 0 ? 1 : total / predicted;
  const scaled = `price of ${model.name} times ${scale.toPrecision(3)}, so that memory exits add up to perf's time`;
  return [
    ...measured.map((one) => {
      if (!memoryCauses.has(one.cause)) return handlerOf(one);
      const cycles = scale * model.exits[one.cause].handler;
      return { ...handlerOf(one), cycles, reason: scaled };
    }),
    ...Object.entries(model.events.hypervisor)
      .filter(([name]) => !name.startsWith("dirty"))
      .map(([name, cycles]) => ({
        path: ["hypervisor", name],
        cycles: scale * cycles,
        reason: scaled,
      })),
  ];
}

function handlerOf({ cause, cycles, reason }: Measured): Edit {
  return { path: ["exits", cause, "handler"], cycles, reason };
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
