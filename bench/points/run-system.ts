/**
 * Runs one point whose program is a recorded system: no kernel of ours boots, the recording is replayed on a bare vCPU.
 */
import { engines } from "../../engines/index.ts";
import type { Engine } from "../../hypervisor/engine.ts";
import type { Gfn } from "../../machine/address.ts";
import type { OtherExit } from "../../machine/exits.ts";
import { Machine } from "../../machine/machine.ts";
import { regionBetween, type Snapshot } from "../../machine/region.ts";
import type { Vcpu } from "../../machine/vcpu.ts";
import type { OpChunk } from "../../workloads/trace/ops.ts";
import { opRare, otherExits } from "../../workloads/trace/ops.ts";
import { Player } from "../../workloads/trace/replay.ts";
import { countSkipped } from "../../workloads/trace/skipped.ts";
import type { SystemWorkload } from "../../workloads/trace/system-workload.ts";
import { ConfigError, pick } from "../input/config-error.ts";
import type { PointKey } from "../results/result.ts";
import { type CheckedResult, machineOf, type RunOptions, watch } from "./point-machine.ts";

/** Something to be done before op `at`. */
interface Mark {
  readonly at: number;
  readonly act: () => void;
}

interface PhaseOfTrace {
  readonly start: number;
  readonly end: number;
  readonly accesses: number;
  readonly instructions: number;
}

export function runSystem(
  key: PointKey,
  options: RunOptions,
  workload: SystemWorkload,
): CheckedResult {
  const { header, file, chunks } = workload.system();
  if (key.guestLevels !== header.registers.levels) {
    const allowed = `${header.registers.levels} guest levels`;
    throw new ConfigError(
      `workload ${key.workload}: ${key.guestLevels} guest levels, allowed: ${allowed}`,
    );
  }
  const isolated = key.params["kpti"];
  const { kpti } = workload.defaults;
  if (isolated !== kpti) {
    const why = `kpti=${isolated}, allowed: ${kpti}, as it was recorded`;
    throw new ConfigError(`workload ${key.workload}: ${why}`);
  }
  const machine = new Machine({ ...machineOf(key, options), guestFrames: header.memoryFrames });
  const known: Readonly<Record<string, Engine>> = { ...engines, ...options.engineVariants };
  const { engine } = key;
  const { check } = options;
  const made = pick(known, engine, "engine").create(machine);
  const { oracle, hypervisor } = watch(machine, made, { engine, check });
  const [vcpu] = machine.vcpus;
  if (vcpu === undefined) throw new Error("bug: run-system: a machine without a vCPU");
  if (key.params["usedMemory"] === 1) {
    for (let gfn = 0; gfn < header.memoryFrames; gfn++) hypervisor.memory.touch(gfn as Gfn);
  }
  const player = new Player({
    machine,
    hypervisor,
    source: { header, file, chunks },
    onPhase: () => undefined,
    options: { fetchEachOp: false, leavesSkipped: true },
  });
  player.boot();
  const all = [...chunks];
  const end = Math.min(
    Number(key.params["ops"]),
    all.reduce((sum, { length }) => sum + length, 0),
  );
  const warm = Math.min(Number(key.params["warmOps"]), end);
  let setup: Snapshot = machine.snapshot();
  const marks: Mark[] = [
    ...phasesOf(all).flatMap((phase, i) =>
      marksOf(vcpu, phase, { warm, others: workload.others[i] ?? {} }),
    ),
    { at: warm, act: () => (setup = machine.snapshot()) },
  ].filter(({ at }) => at <= end);
  play(player, all, { end, marks: marks.toSorted((a, b) => a.at - b.at) });
  player.end();
  const regions = {
    setup: regionBetween(null, setup),
    measured: regionBetween(setup, machine.snapshot()),
  };
  const { label, computeCycles } = workload;
  const about = { computeCyclesPerOp: computeCycles.perOp, label };
  const result = { key, regions, checksum: vcpu.mmu.checksum(), ...about };
  return { result, checked: oracle?.checked ?? 0 };
}

/** Where phases lie, and what the recorder left out of each. */
function phasesOf(chunks: readonly OpChunk[]): PhaseOfTrace[] {
  const phases: PhaseOfTrace[] = [];
  let [start, at, accesses, instructions] = [0, 0, 0, 0];
  for (const chunk of chunks) {
    for (let i = 0; i < chunk.length; i++, at++) {
      if (chunk.code[i] !== opRare) continue;
      const op = chunk.rare[chunk.low[i] ?? 0];
      if (op?.op === "skipped") {
        accesses += op.accesses;
        instructions += op.instructions;
      } else if (op?.op === "phase") {
        phases.push({ start, end: at, accesses, instructions });
        [start, accesses, instructions] = [at + 1, 0, 0];
      }
    }
  }
  return phases;
}

/** What a phase has beside its ops, spread evenly over it: what was left out falls before and behind the warm-up's end. */
function marksOf(
  vcpu: Vcpu,
  { start, end, accesses, instructions }: PhaseOfTrace,
  { warm, others }: { warm: number; others: Readonly<Partial<Record<OtherExit, number>>> },
): Mark[] {
  const share = (part: number, whole: number) =>
    Math.floor((whole * (part - start)) / (end - start));
  const cuts = warm > start && warm < end ? [warm, end] : [end];
  const marks = cuts.map((cut, i): Mark => {
    const from = i === 0 ? start : warm;
    const skipped = {
      accesses: share(cut, accesses) - share(from, accesses),
      instructions: share(cut, instructions) - share(from, instructions),
    };
    return { at: cut, act: () => countSkipped(vcpu, skipped) };
  });
  const exits = otherExits.flatMap((cause) => {
    const count = others[cause] ?? 0;
    const at = (i: number) => start + Math.floor(((i + 1) * (end - start)) / (count + 1));
    return Array.from({ length: count }, (_, i) => ({
      at: at(i),
      act: () => vcpu.otherExit(cause),
    }));
  });
  return [...marks, ...exits];
}

function play(
  player: Player,
  chunks: readonly OpChunk[],
  { end, marks }: { readonly end: number; readonly marks: readonly Mark[] },
): void {
  let base = 0;
  let next = 0;
  for (const chunk of chunks) {
    let from = 0;
    const to = Math.min(chunk.length, end - base);
    if (to < 0) break;
    for (let mark = marks[next]; mark !== undefined && mark.at <= base + to; mark = marks[++next]) {
      player.run(chunk, from, mark.at - base);
      from = mark.at - base;
      mark.act();
    }
    player.run(chunk, from, to);
    base += chunk.length;
  }
}
