/**
 * Runs a list of guest instructions as a trace under one engine and counts the last phase.
 *
 * The guest of every exercise is the same: 12 MiB of memory, mapped one to one with 4 KiB pages by tables at 200000,
 * writable, and marked accessed and dirty. So the entry of page n lies at GVA 203000 + 8n, and a student can follow
 * each instruction by hand, or save the lines and run them.
 */
import { buildComputer } from "../../engines/computer.ts";
import { engines } from "../../engines/index.ts";
import type { Ledger } from "../../machine/counters.ts";
import { presets } from "../../machine/presets.ts";
import { replayDecoded } from "../../workloads/trace/replay.ts";
import { decodeVmmu } from "../../workloads/trace/vmmu.ts";
import { pick } from "../../bench/input/config-error.ts";
import { regionBetween } from "../../machine/region.ts";

/** Header of the trace: memory and tables before boot. */
export const guestHeader = [
  "# vmmu-trace 1",
  "memory 4000000",
  "fill 200000 1 201063 0",
  "fill 201000 1 202063 0",
  "fill 202000 6 203063 1000",
  "fill 203000 c00 63 1000",
  "boot 200000",
];

/** GVA of the entry that maps page `page`, hexadecimal. */
export function entryAddress(page: number): string {
  return (0x203000 + 8 * page).toString(16);
}

/** The value of that entry, hexadecimal; read-only ones have W (2) clear. */
export function entryValue(page: number, access: "writable" | "read-only"): string {
  return (page * 4096 + (access === "writable" ? 0x63 : 0x61)).toString(16);
}

export interface OpsToRun {
  readonly engine: string;
  /** Ops that are executed and not counted. */
  readonly before: readonly string[];
  /** Ops that are counted. */
  readonly ops: readonly string[];
}

/** What the counted ops did, without any translation cache. */
export function runOps({ engine, before, ops }: OpsToRun): Ledger {
  const text = [...guestHeader, ...before, "p before", ...ops, "p counted", ""].join("\n");
  const source = decodeVmmu(new TextEncoder().encode(text), "exercise");
  const { machine, hypervisor } = buildComputer({
    engine: pick(engines, engine, "engine"),
    preset: presets.textbook,
    guestFrames: source.header.memoryFrames,
  });
  let then = machine.snapshot();
  let counted = then.ledger;
  const onPhase = () => {
    const now = machine.snapshot();
    counted = regionBetween(then, now).ledger;
    then = now;
  };
  replayDecoded({ machine, hypervisor, source, onPhase, options: { fetchEachOp: false } });
  return counted;
}
