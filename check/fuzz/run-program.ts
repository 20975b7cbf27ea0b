/**
 * Runs one program under one engine with the oracle watching, and says what came of it.
 */
import type { PagingLevels } from "../../machine/address.ts";
import { Machine, type MachineOptions, type MmuFactory } from "../../machine/machine.ts";
import { OutsideMemory } from "../../machine/outside-memory.ts";
import type { Preset } from "../../machine/presets.ts";
import type { CreateEngine } from "../../hypervisor/engine.ts";
import {
  OpChunk,
  opFetch,
  opInvlpg,
  opRare,
  opRead,
  opStore,
  opWrite,
  opZeroPage,
  type TraceOp,
} from "../../workloads/trace/ops.ts";
import { replayDecoded } from "../../workloads/trace/replay.ts";
import { TraceError } from "../../workloads/trace/trace-error.ts";
import { digestMemory } from "../oracle/memory-digest.ts";
import { attachOracle } from "../oracle/oracle.ts";
import type { Snapshot } from "../../machine/region.ts";
import { programHardware } from "./program-hardware.ts";
import type { Program } from "./program.ts";

/** What a program runs on. */
export interface Target {
  readonly engine: string;
  readonly factory: CreateEngine;
  /** GPA is HPA, and there is no host. */
  readonly native: boolean;
  /** A guest of a guest: what its memory lies in is shared with nobody. */
  readonly isAlone?: boolean;
  readonly presetName: string;
  readonly preset: Preset;
  readonly nestedLevels: PagingLevels;
  /** Other translation hardware than the fast unit: a planted bug, a twin. */
  readonly mmu?: MmuFactory;
}

export interface Verdict {
  readonly checked: number;
  readonly faults: number;
  /** Accesses and faults that only a cached value explains. */
  readonly stale: number;
  /** What memory held at the end. */
  readonly digest: number;
  /** What went wrong, or null. */
  readonly problem: string | null;
  /** What the machine counted; null when the run ended early. */
  readonly counts: Snapshot | null;
}

/** The machine that a program asks for, on the thread's hardware: it takes the place of the one before. */
export function machineFor({ header }: Program, target: Target): MachineOptions {
  const { memory, mmu } = programHardware();
  return {
    preset: target.preset,
    memory,
    mmu: target.mmu ?? mmu,
    guestFrames: header.memoryFrames,
    vcpus: header.vcpus,
    seed: 1,
    backing: header.backing,
    nestedLevels: target.nestedLevels,
    placement: "scatter",
  };
}

/** The hypervisor that a program asks for. */
export function hypervisorFor({ header }: Program, { factory }: Target, machine: Machine) {
  const { shadowPagesMax } = header;
  return factory(machine, shadowPagesMax === null ? {} : { shadowPagesMax });
}

export function runProgram(program: Program, target: Target): Verdict {
  const { header, groups } = program;
  const machine = new Machine(machineFor(program, target));
  const oracle = attachOracle(machine, target);
  const hypervisor = oracle.watch(hypervisorFor(program, target, machine));
  const source = { file: "fuzz", header, chunks: [chunkOf(groups.flat())] };
  let problem: string | null = null;
  let counts: Snapshot | null = null;
  try {
    replayDecoded({
      machine,
      hypervisor,
      source,
      onPhase: () => undefined,
      options: { fetchEachOp: false },
    });
    counts = machine.snapshot();
    oracle.sharing.checkTables();
    oracle.sharing.checkSnapshot();
  } catch (error) {
    problem = problemOf(error);
  }
  if (problem === null && program.isOrderly && oracle.stale > 0) {
    problem = `${target.engine}: ${oracle.stale} accesses of an orderly guest used stale values`;
  }
  const { checked, faults, stale } = oracle;
  const digest = problem === null ? digestMemory(oracle.frames) : 0;
  return { checked, faults, stale, digest, problem, counts };
}

/** A guest that leads outside memory made its own mistake; anything else thrown is ours. */
export function problemOf(error: unknown): string | null {
  if (error instanceof OutsideMemory || error instanceof TraceError) return null;
  return error instanceof Error ? error.message : String(error);
}

/** Ops as columns, as a decoded trace has them. */
export function chunkOf(ops: readonly TraceOp[]): OpChunk {
  const chunk = new OpChunk(ops.length);
  for (const [i, op] of ops.entries()) {
    chunk.line[i] = i + 1;
    if ("offset" in op) {
      chunk.code[i] = op.op === "read" ? opRead : op.op === "write" ? opWrite : opFetch;
      chunk.page[i] = op.vpn;
      chunk.offset[i] = op.offset;
    } else if (op.op === "store") {
      chunk.code[i] = opStore;
      chunk.page[i] = op.vpn;
      chunk.offset[i] = op.index * 8;
      chunk.low[i] = op.low;
      chunk.high[i] = op.high;
    } else if (op.op === "zero-page" || op.op === "invlpg") {
      chunk.code[i] = op.op === "invlpg" ? opInvlpg : opZeroPage;
      chunk.page[i] = op.vpn;
    } else {
      chunk.code[i] = opRare;
      chunk.low[i] = chunk.rare.push(op) - 1;
    }
  }
  chunk.length = ops.length;
  return chunk;
}
