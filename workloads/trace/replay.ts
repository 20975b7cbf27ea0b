/**
 * Replays a vmmu trace on the vCPUs of a machine, under whatever hypervisor answers its exits.
 *
 * The trace holds inline what the guest's #PF handler did and the access repeated, so a fault abandons its
 * op here. Loads, stores of data and fetches go into the vCPU's batch; all else drains it. Phases, vCPU
 * switches and host events drain first, so whoever looks sees every op before them and none after.
 */
import { entriesPerTable, type Gfn, hexAddress, hexGva, type Vpn } from "../../machine/address.ts";
import type { HostEvent } from "../../hypervisor/host-events.ts";
import { GeneralProtection } from "../../machine/general-protection.ts";
import type { Hypervisor } from "../../hypervisor/hypervisor.ts";
import type { Machine } from "../../machine/machine.ts";
import { OutsideMemory } from "../../machine/outside-memory.ts";
import type { Vcpu } from "../../machine/vcpu.ts";
import { refetching } from "./code-page.ts";
import {
  type Fill,
  opAt,
  type OpChunk,
  opFetch,
  opInvlpg,
  opRare,
  opRead,
  opStore,
  opWrite,
  opZeroPage,
  type RareOp,
  type TraceHeader,
} from "./ops.ts";
import { countSkipped } from "./skipped.ts";
import { TraceError } from "./trace-error.ts";
import type { DecodedTrace, VmmuTrace } from "./vmmu.ts";
import { opLine } from "./write.ts";

export interface Phase {
  readonly name: string;
  /** Frames that `dirty-log-get` reported since the last phase ended. */
  readonly dirtyPages: number;
}

export interface ReplayOptions {
  /**
   * The guest interprets its trace: before each op, and again after each exit, it fetches from its code
   * page at 0x10000. An `x` line for that page then stands for this fetch alone.
   */
  readonly fetchEachOp: boolean;
  /** Whoever feeds the player counts what the recorder left out, and the player does not. */
  readonly leavesSkipped?: boolean;
}

export interface Replay<Source> {
  readonly machine: Machine;
  readonly hypervisor: Hypervisor;
  readonly source: Source;
  /** Called at each `p NAME`, everything before it done. */
  readonly onPhase: (phase: Phase) => void;
  readonly options: ReplayOptions;
}

/** What is left after a replay. */
export interface ReplayTotals {
  readonly ops: number;
  readonly dirtyPages: number;
}

/** The page of the guest program that interprets traces of version 2. */
const codePage = 0x10 as Vpn;

/** Streams a trace through the machine: boots its vCPUs, then runs chunk by chunk. */
export async function replay({ source, ...parts }: Replay<VmmuTrace>): Promise<ReplayTotals> {
  const player = new Player({ ...parts, source });
  player.boot();
  for await (const chunk of source.chunks) player.run(chunk);
  return player.end();
}

/** The same for a trace in memory, at once. */
export function replayDecoded({ source, ...parts }: Replay<DecodedTrace>): ReplayTotals {
  const player = new Player({ ...parts, source });
  player.boot();
  for (const chunk of source.chunks) player.run(chunk);
  return player.end();
}

/** A replay that its caller feeds, chunk by chunk: `boot` or `resume` first, `end` last. */
export class Player {
  private readonly machine: Machine;
  private readonly hypervisor: Hypervisor;
  private readonly file: string;
  private readonly header: TraceHeader;
  private readonly onPhase: (phase: Phase) => void;
  private readonly fetchEachOp: boolean;
  private readonly leavesSkipped: boolean;
  private vcpu: Vcpu;
  /** The vCPU that ran last; entering another one is an event for the hypervisor. */
  private ran = 0;
  private ops = 0;
  private dirtyPages = 0;
  private dirtyPagesInPhase = 0;

  constructor({ machine, hypervisor, source, onPhase, options }: Replay<VmmuTrace | DecodedTrace>) {
    const { file, header } = source;
    if (header.memoryFrames > machine.guestFrames || header.vcpus > machine.vcpus.length) {
      throw new Error(`bug: replay: the machine is smaller than ${file} asks for`);
    }
    this.machine = machine;
    this.hypervisor = options.fetchEachOp ? refetching(hypervisor, machine, codePage) : hypervisor;
    this.file = file;
    this.header = header;
    this.onPhase = onPhase;
    this.fetchEachOp = options.fetchEachOp;
    this.leavesSkipped = options.leavesSkipped ?? false;
    this.vcpu = machine.vcpus[0]!;
  }

  boot(): void {
    const { fills, boot, registers, vcpus } = this.header;
    for (const fill of fills) writeFill(this.hypervisor, fill);
    for (const vcpu of this.machine.vcpus.slice(0, vcpus)) {
      vcpu.software = { pageFault: () => "abandon" };
      vcpu.boot(this.hypervisor, boot, registers);
    }
  }

  /**
   * Starts where `other` stands, in a copy of its memory: a clone. Both go on in supervisor mode with empty
   * caches on this side.
   */
  resume(other: Player): void {
    const { vcpus } = this.header;
    other.vcpu.drain();
    for (const vcpu of this.machine.vcpus.slice(0, vcpus)) {
      const template = other.machine.vcpus[vcpu.id]!;
      template.setPrivilege("supervisor");
      vcpu.software = { pageFault: () => "abandon" };
      vcpu.setPrivilege("supervisor");
      const cr3 = { ...template.cr3, pcid: template.cr3LowBits };
      vcpu.boot(this.hypervisor, cr3, template.registers);
    }
    this.vcpu = this.machine.vcpus[other.vcpu.id]!;
  }

  /** Ops [from, to) of the chunk. */
  run(chunk: OpChunk, from = 0, to = chunk.length): void {
    // Ops before `settled` have reached the machine for certain: a late error comes from behind it.
    let settled = from;
    let i = from;
    try {
      for (; i < to; i++) {
        this.step(chunk, i);
        if (drains(chunk, i)) settled = i + 1;
      }
      this.vcpu.drain();
    } catch (error) {
      if (error instanceof OutsideMemory) throw this.located(error, { chunk, settled });
      throw error instanceof GeneralProtection ? this.refused(error, chunk, i) : error;
    }
    this.ops += to - from;
  }

  end(): ReplayTotals {
    this.vcpu.drain();
    return { ops: this.ops, dirtyPages: this.dirtyPages };
  }

  private step(chunk: OpChunk, i: number): void {
    const { vcpu } = this;
    const code = chunk.code[i]!;
    const vpn = chunk.page[i]! as Vpn;
    if (code !== opRare && vcpu.id !== this.ran) this.enter();
    if (this.fetchEachOp && code !== opRare && !(code === opFetch && vpn === codePage)) {
      vcpu.fetch(codePage);
    }
    switch (code) {
      case opRead:
        return vcpu.read(vpn, chunk.offset[i]);
      case opWrite:
        return vcpu.write(vpn, chunk.offset[i]);
      case opFetch:
        return vcpu.fetch(vpn, chunk.offset[i]);
      case opStore:
        return vcpu.store(vpn, chunk.offset[i]! >>> 3, chunk.low[i]!, chunk.high[i]!);
      case opInvlpg:
        return vcpu.invlpg(vpn);
      case opZeroPage:
        return vcpu.zeroPage(vpn);
      default:
        return this.rare(chunk.rare[chunk.low[i]!]!);
    }
  }

  private rare(op: RareOp): void {
    // These are the host's or the trace's own, not the guest's: no code is fetched for them.
    if (op.op === "vcpu" || op.op === "phase" || op.op === "host" || op.op === "skipped") {
      this.vcpu.drain();
      if (op.op === "skipped") {
        if (!this.leavesSkipped) countSkipped(this.vcpu, op);
      } else if (op.op === "vcpu") this.vcpu = this.machine.vcpus[op.id]!;
      else if (op.op === "phase") this.phase(op.name);
      else this.host(op.event);
      return;
    }
    if (this.vcpu.id !== this.ran) this.enter();
    if (this.fetchEachOp && op.op !== "privilege") this.vcpu.fetch(codePage);
    this.privileged(op);
  }

  /** A vCPU without ops between two switches is not entered at all. */
  private enter(): void {
    this.ran = this.vcpu.id;
    this.hypervisor.host({ kind: "vcpu-run", vcpu: this.ran });
  }

  private privileged(
    op: Exclude<RareOp, { readonly op: "vcpu" | "phase" | "host" | "skipped" }>,
  ): void {
    const { vcpu } = this;
    const { registers } = vcpu;
    switch (op.op) {
      case "write-cr3":
        return vcpu.writeCr3(op.cr3.root, op.cr3.pcid, op.cr3.keep);
      case "write-cr0":
        return vcpu.writeRegisters("cr0", { ...registers, writeProtect: op.writeProtect });
      case "write-cr4": {
        const { globalPages, pcid } = op;
        return vcpu.writeRegisters("cr4", { ...registers, globalPages, pcid });
      }
      case "read-cr3":
        vcpu.readCr3();
        return;
      case "cpuid":
        return vcpu.cpuid();
      case "other-exit":
        return vcpu.otherExit(op.cause);
      case "invpcid":
        return vcpu.invpcid(op.type, op.pcid, op.vpn);
      case "copy-page":
        return vcpu.copyPage(op.to, op.from);
      case "privilege":
        return vcpu.setPrivilege(op.mode);
    }
  }

  private phase(name: string): void {
    this.onPhase({ name, dirtyPages: this.dirtyPagesInPhase });
    this.dirtyPagesInPhase = 0;
  }

  private host(event: HostEvent): void {
    const reported = this.hypervisor.host(event).length;
    this.dirtyPagesInPhase += reported;
    this.dirtyPages += reported;
  }

  /** The op that led outside memory: the first access to its page that the last drain had not done. */
  private located(error: OutsideMemory, at: { readonly chunk: OpChunk; readonly settled: number }) {
    const { chunk, settled } = at;
    let i = settled;
    while (i < chunk.length - 1 && chunk.page[i] !== error.vpn) i += 1;
    return new TraceError({
      file: this.file,
      line: chunk.line[i]!,
      field: "access",
      value: `GVA ${hexGva(error.vpn, 0, this.header.registers.levels)} -> GPA ${hexAddress(error.gfn)}`,
      allowed: `GPAs below ${(this.header.memoryFrames * 4096).toString(16)}`,
    });
  }

  /** Op `i` is one that silicon refuses. */
  private refused({ allowed }: GeneralProtection, chunk: OpChunk, i: number) {
    const { file, header } = this;
    const value = opLine(opAt(chunk, i), header.registers.levels);
    return new TraceError({ file, line: chunk.line[i]!, field: "op", value, allowed });
  }
}

/** Does op `i` leave nothing of the batch undone? */
function drains(chunk: OpChunk, i: number): boolean {
  const code = chunk.code[i]!;
  if (code !== opRare) return code > opFetch;
  return chunk.rare[chunk.low[i]!]!.op !== "privilege";
}

/** Writes the entries of one `fill` line through the hypervisor's own view of guest memory. */
function writeFill({ memory }: Hypervisor, fill: Fill): void {
  const { stepLow, stepHigh, count } = fill;
  let { low, high } = fill;
  for (let i = 0; i < count; i++) {
    const entry = fill.index + i;
    const gfn = (fill.gfn + Math.floor(entry / entriesPerTable)) as Gfn;
    memory.write(gfn, entry % entriesPerTable, low, high);
    const sum = (low >>> 0) + (stepLow >>> 0);
    low = sum | 0;
    high = (high + stepHigh + (sum > 0xffff_ffff ? 1 : 0)) | 0;
  }
}
