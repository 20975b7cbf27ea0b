/**
 * Runs one trace from a file or standard input under one engine, as `shadewalk run --trace` does.
 *
 * A vmmu trace brings its own page tables, so it runs on bare vCPUs and counts per phase. A lackey trace
 * shows only accesses and system calls, so the guest kernel runs under it. The teaching dialect brings a
 * small kernel of its own.
 */
import type { EngineOptions, ShadowInspect } from "../../hypervisor/engine.ts";
import type { Hypervisor } from "../../hypervisor/hypervisor.ts";
import type { Gfn } from "../../machine/address.ts";
import { Machine } from "../../machine/machine.ts";
import type { TraceHeader } from "../../workloads/trace/ops.ts";
import { openTrace, type OpenTrace } from "../../workloads/trace/open.ts";
import { replayLackey } from "../../workloads/trace/lackey-replay.ts";
import { replay } from "../../workloads/trace/replay.ts";
import { runTeaching } from "../../workloads/trace/teaching.ts";
import { teachingLevels, teachingMachine } from "../../workloads/trace/teaching-guest.ts";
import { readVmmu } from "../../workloads/trace/vmmu.ts";
import { ConfigError } from "../input/config-error.ts";
import { refuseOtherIsa } from "./point-problem.ts";
import { engineNamed } from "./catalogue.ts";
import { type AskedHost, type Host, traceHost } from "./trace-host.ts";
import { counterNames, type PointKey, type PointResult } from "../results/result.ts";
import { bootGuest, machineOf, type RunOptions, watch } from "./run-point.ts";
import { regionBetween, type Snapshot } from "../../machine/region.ts";

/** One phase of a trace, or a region of a workload. */
export interface Section extends ReturnType<typeof regionBetween> {
  readonly name: string;
  /** Frames that dirty-logging reported in it. */
  readonly dirtyPages: number;
}

/** Engine and preset of a point, and what its user asked of the rest. */
export type TraceRequest = Pick<PointKey, "engine" | "preset"> &
  AskedHost & {
    /** Has the host backed all of the guest's memory before the trace begins? Only for a vmmu trace; absent: no. */
    readonly populated?: boolean | undefined;
  };

export interface TraceRun {
  /** What it ran on. */
  readonly host: Host;
  readonly sections: readonly Section[];
  readonly computeCyclesPerOp: number;
  readonly checksum: number;
  readonly checked: number;
  readonly label: string;
}

/** Guest memory of a lackey trace, whose need is known only at its end: 4 GiB. */
const lackeyFrames = 2 ** 20;
/** Assumed: an instruction takes a cycle when nothing has to be translated. */
const cyclesPerInstruction = 1;

/** Throws a `ConfigError` where the trace contradicts what is asked. */
export async function runTrace(
  file: string,
  request: TraceRequest,
  options: RunOptions,
): Promise<TraceRun> {
  const trace = await openTrace(file);
  if (trace.format === "vmmu") return runVmmu(trace, request, options);
  if (request.populated === true) {
    throw new ConfigError(`--populated: ${file} is a ${trace.format} trace, allowed: vmmu traces`);
  }
  if (trace.format === "lackey") return runLackey(trace, request, options);
  return teach(trace, request, {
    ...options,
    host: "cold",
    verbose: false,
    print: () => undefined,
  });
}

function keyOf({ engine, preset }: TraceRequest, host: Host): PointKey {
  return { id: 0, engine, preset, workload: "trace", params: {}, ...host };
}

export interface Lesson extends RunOptions {
  readonly host: "warm" | "cold";
  readonly verbose: boolean;
  readonly print: (line: string) => void;
}

/** Runs a file of the teaching dialect and prints what happened, line by line. */
export async function runLesson(
  file: string,
  request: TraceRequest,
  lesson: Lesson,
): Promise<TraceRun> {
  const trace = await openTrace(file);
  if (trace.format === "teaching") return teach(trace, request, lesson);
  throw new ConfigError(`${file}: is a ${trace.format} trace, allowed: PT_WRITE and ACCESS lines`);
}

async function runVmmu(
  trace: OpenTrace,
  request: TraceRequest,
  options: RunOptions,
): Promise<TraceRun> {
  const source = await readVmmu(trace.bytes, trace.file);
  const { memoryFrames, vcpus, backing, registers } = source.header;
  const said = {
    backing: source.said.has("backing") ? backing : undefined,
    guestLevels: registers.levels,
  };
  const host = traceHost(trace.file, said, request);
  const key = keyOf(request, host);
  const machine = new Machine({
    ...machineOf(key, options),
    guestFrames: memoryFrames,
    vcpus,
  });
  const { engine } = key;
  refuseOtherIsa(engine, "the trace has entries of x86-64");
  const { check } = options;
  const made = engineNamed(engine).create(machine, engineOptions(source.header));
  const { oracle, hypervisor } = watch(machine, made, { engine, check });
  if (request.populated === true) {
    for (let gfn = 0; gfn < memoryFrames; gfn++) hypervisor.memory.touch(gfn as Gfn);
  }
  const sections: Section[] = [];
  // What the host did before is nobody's phase.
  let then: Snapshot | null = request.populated === true ? machine.snapshot() : null;
  const endSection = (name: string, dirtyPages: number) => {
    const now = machine.snapshot();
    sections.push({ name, dirtyPages, ...regionBetween(then, now) });
    then = now;
  };
  await replay({
    machine,
    hypervisor,
    source,
    onPhase: ({ name, dirtyPages }) => endSection(name, dirtyPages),
    options: { fetchEachOp: false },
  });
  oracle?.sharing.checkTables();
  oracle?.sharing.checkSnapshot();
  if (sections.length === 0 || hasCounted(then, machine.snapshot())) {
    endSection(sections.length === 0 ? "whole trace" : "rest", 0);
  }
  return {
    host,
    sections,
    computeCyclesPerOp: cyclesPerInstruction,
    checksum: checksumOf(machine),
    checked: oracle?.checked ?? 0,
    label: "",
  };
}

async function runLackey(
  trace: OpenTrace,
  request: TraceRequest,
  options: RunOptions,
): Promise<TraceRun> {
  const host = traceHost(trace.file, {}, request);
  const key = keyOf(request, host);
  const machine = new Machine({ ...machineOf(key, options), guestFrames: lackeyFrames });
  const { guest, oracle, finish } = bootGuest(key, { ...options, machine, kernel: {} });
  const { label: about } = await replayLackey({ guest, source: trace, pageSize: "4k" });
  const label = trace.imported === null ? about : `${trace.imported}: ${about}`;
  const result = finish({ computeCyclesPerOp: cyclesPerInstruction, label });
  return {
    ...result,
    host,
    sections: sectionsOf(result),
    checked: oracle?.checked ?? 0,
  };
}

async function teach(trace: OpenTrace, request: TraceRequest, lesson: Lesson): Promise<TraceRun> {
  // Its guest and its host frames are part of the dialect, so that lessons can be followed by hand.
  const said = {
    backing: teachingMachine.backing,
    guestLevels: teachingLevels,
    seed: false,
  } as const;
  const host = traceHost(trace.file, said, request);
  const key = keyOf(request, host);
  const machine = new Machine({ ...machineOf(key, lesson), ...teachingMachine });
  const { engine } = key;
  refuseOtherIsa(engine, "the trace has entries of x86-64");
  const { check } = lesson;
  const made = engineNamed(engine).create(machine);
  const { oracle, hypervisor } = watch(machine, made, { engine, check });
  const { verbose, print } = lesson;
  await runTeaching({
    machine,
    hypervisor,
    shadowEntry: canShow(hypervisor) ? (vpn) => hypervisor.shadowEntry(vpn) : null,
    host: lesson.host,
    file: trace.file,
    bytes: trace.bytes,
    verbose,
    print,
  });
  const whole = regionBetween(null, machine.snapshot());
  return {
    host,
    sections: [{ name: "whole trace", dirtyPages: 0, ...whole }],
    computeCyclesPerOp: 0,
    checksum: checksumOf(machine),
    checked: oracle?.checked ?? 0,
    label: "",
  };
}

/** What a trace's header asks of the hypervisor. */
function engineOptions({ shadowPagesMax, dirtyLogArmedBy }: TraceHeader): EngineOptions {
  return {
    ...(shadowPagesMax === null ? {} : { shadowPagesMax }),
    ...(dirtyLogArmedBy === null ? {} : { dirtyLog: { armedBy: dirtyLogArmedBy } }),
  };
}

/** Has anything happened since the last phase ended? */
function hasCounted(then: Snapshot | null, now: Snapshot): boolean {
  return counterNames.some((name) => now.ledger[name] !== then?.ledger[name]);
}

/** The regions of a point in the form of phases. */
export function sectionsOf({ regions }: PointResult): Section[] {
  return Object.entries(regions).map(([name, region]) => ({ name, dirtyPages: 0, ...region }));
}

function canShow(hypervisor: Hypervisor): hypervisor is Hypervisor & ShadowInspect {
  return "shadowEntry" in hypervisor;
}

function checksumOf({ vcpus }: Machine): number {
  return vcpus.reduce((sum, { mmu }) => sum + mmu.checksum(), 0) % 2 ** 32;
}
