/**
 * Writes a `vmmu-trace 3`, or 4 where something of it needs that: what the fuzzer leaves behind, and what `vmmu.ts` reads back value for value.
 */
import { hexAddress, hexGva, type PagingLevels, type Vpn } from "../../machine/address.ts";
import type { Cr3, Registers } from "../../machine/registers.ts";
import {
  type Fill,
  invpcidTypes,
  type TraceHeader,
  type TraceHostEvent,
  type TraceOp,
} from "./ops.ts";
import {
  cr0WriteProtect,
  cr4GlobalPages,
  cr4Levels5,
  cr4Pcid,
  dirtyLogWords,
} from "./vmmu-header.ts";

/** The text of a trace; `header.version` does not matter, since version 3 says everything. */
export function writeTrace(header: TraceHeader, ops: Iterable<TraceOp>): string {
  const { memoryFrames, vcpus, backing, shadowPagesMax, dirtyLogArmedBy, registers, fills, boot } =
    header;
  const lines = [
    "# vmmu-trace 3",
    `memory ${hexAddress(memoryFrames)}`,
    `vcpus ${vcpus.toString(16)}`,
    `backing ${backing}`,
    ...(shadowPagesMax === null ? [] : [`nrmmu ${shadowPagesMax}`]),
    ...dirtyLogWords.filter(([arming]) => arming === dirtyLogArmedBy).map(dirtyLogLine),
    cr0Line(registers.writeProtect),
    cr4Line(registers),
    ...fills.map(fillLine),
    `boot ${cr3Value(boot)}`,
  ];
  let isNew = dirtyLogArmedBy !== null;
  for (const op of ops) {
    lines.push(opLine(op, registers.levels));
    if (op.op === "skipped" || op.op === "other-exit") isNew = true;
  }
  if (isNew) lines[0] = "# vmmu-trace 4";
  return `${lines.join("\n")}\n`;
}

/** One op as a line, without the newline. */
export function opLine(op: TraceOp, levels: PagingLevels): string {
  const gva = (vpn: Vpn, offset = 0) => hexGva(vpn, offset, levels);
  switch (op.op) {
    case "read":
      return `r ${gva(op.vpn, op.offset)}`;
    case "write":
      return `w ${gva(op.vpn, op.offset)}`;
    case "fetch":
      return `x ${gva(op.vpn, op.offset)}`;
    case "store":
      return `s ${gva(op.vpn, op.index * 8)} ${hex64(op.low, op.high)}`;
    case "zero-page":
      return `z ${gva(op.vpn)}`;
    case "copy-page":
      return `y ${gva(op.to)} ${gva(op.from)}`;
    case "invlpg":
      return `i ${gva(op.vpn)}`;
    case "invpcid":
      return `invpcid ${invpcidTypes.indexOf(op.type)} ${op.pcid.toString(16)} ${gva(op.vpn)}`;
    case "write-cr3":
      return `c ${cr3Value(op.cr3)}`;
    case "read-cr3":
      return "cr3";
    case "cpuid":
      return "cpuid";
    case "other-exit":
      return `e ${op.cause}`;
    case "skipped":
      return `n ${op.accesses.toString(16)} ${op.instructions.toString(16)}`;
    case "write-cr0":
      return cr0Line(op.writeProtect);
    case "write-cr4":
      return cr4Line({ ...op, levels });
    case "privilege":
      return op.mode === "user" ? "user" : "kernel";
    case "vcpu":
      return `v ${op.id.toString(16)}`;
    case "phase":
      return `p ${op.name}`;
    case "host":
      return hostLine(op.event);
  }
}

function hostLine(event: TraceHostEvent): string {
  if (event.kind === "write") {
    return `h write ${hexAddress(event.gfn, event.index * 8)} ${hex64(event.low, event.high)}`;
  }
  const to = "to" in event ? ` ${hexAddress(event.to)}` : "";
  if (event.kind === "dirty-log-off" && event.only !== undefined) {
    return `h dirty-log-off ${hexAddress(event.only.start)} ${hexAddress(event.only.frames)}`;
  }
  const start = "start" in event ? ` ${hexAddress(event.start)}` : "";
  const frames = "frames" in event ? ` ${hexAddress(event.frames)}` : "";
  return `h ${event.kind}${start}${frames}${to}`;
}

function dirtyLogLine([, words]: (typeof dirtyLogWords)[number]): string {
  return `dirty-log ${words}`;
}

function fillLine({ gfn, index, count, low, high, stepLow, stepHigh }: Fill): string {
  const gpa = hexAddress(gfn, index * 8);
  return `fill ${gpa} ${count.toString(16)} ${hex64(low, high)} ${hex64(stepLow, stepHigh)}`;
}

function cr0Line(writeProtect: boolean): string {
  return `cr0 ${writeProtect ? cr0WriteProtect.toString(16) : "0"}`;
}

function cr4Line({ globalPages, pcid, levels }: Omit<Registers, "writeProtect">): string {
  const bits =
    (globalPages ? cr4GlobalPages : 0) + (levels === 5 ? cr4Levels5 : 0) + (pcid ? cr4Pcid : 0);
  return `cr4 ${bits.toString(16)}`;
}

function cr3Value({ root, pcid, keep }: Cr3): string {
  const low = (root << 12) | pcid;
  const high = Math.floor(root / 0x10_0000) | (keep ? 0x8000_0000 : 0);
  return hex64(low, high);
}

function hex64(low: number, high: number): string {
  if (high === 0) return (low >>> 0).toString(16);
  return (high >>> 0).toString(16) + (low >>> 0).toString(16).padStart(8, "0");
}
