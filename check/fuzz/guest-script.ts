/**
 * Writes a guest's ops and remembers what they should have done: modes, CR3 and table entries as intended.
 *
 * What a guest intends and what happens are two things once it misbehaves (a store may fault and be lost);
 * generators only use this to choose what to do next, never to judge.
 */
import type { Gfn, Vpn } from "../../machine/address.ts";
import type { InvpcidType } from "../../machine/exits.ts";
import type { Prng } from "../../guest/prng.ts";
import type { TraceOp } from "../../workloads/trace/ops.ts";
import type { GuestImage } from "./guest-image.ts";
import type { Entry } from "./program.ts";

/** What the guest did last on one vCPU. */
interface CpuState {
  root: Gfn;
  pcid: number;
  isUser: boolean;
  writeProtect: boolean;
  globalPages: boolean;
  usesPcid: boolean;
}

export interface ScriptOptions {
  readonly guest: GuestImage;
  readonly prng: Prng;
  readonly vcpus: number;
  readonly usesPcid: boolean;
  readonly globalPages: boolean;
}

export class GuestScript {
  readonly guest: GuestImage;
  readonly prng: Prng;
  /** Ops, one group per thing that the guest did. */
  readonly groups: TraceOp[][] = [];
  /** Ops so far. */
  written = 0;
  readonly cpus: readonly CpuState[];
  private current = 0;

  constructor({ guest, prng, vcpus, usesPcid, globalPages }: ScriptOptions) {
    this.guest = guest;
    this.prng = prng;
    const root = guest.spaces[0]?.root ?? (0 as Gfn);
    this.cpus = Array.from({ length: vcpus }, () => {
      return { root, pcid: 0, isUser: false, writeProtect: true, globalPages, usesPcid };
    });
  }

  get cpu(): CpuState {
    const cpu = this.cpus[this.current];
    if (cpu === undefined) throw new Error(`bug: fuzz: no vCPU ${this.current}`);
    return cpu;
  }

  get cpuNumber(): number {
    return this.current;
  }

  /** What `body` writes belongs together: a store and its flush, say. */
  act(body: (script: GuestScript) => void): void {
    this.groups.push([]);
    body(this);
  }

  emit(op: TraceOp): void {
    const group = this.groups.at(-1);
    if (group === undefined) throw new Error("bug: fuzz: an op outside any act");
    group.push(op);
    this.written += 1;
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.prng.below(items.length)];
    if (item === undefined) throw new Error("bug: fuzz: nothing to pick from");
    return item;
  }

  runOn(id: number): void {
    if (id === this.current) return;
    this.current = id;
    this.emit({ op: "vcpu", id });
  }

  /** Runs `body` on every vCPU, the one of now last. */
  onEveryCpu(body: (cpu: CpuState) => void): void {
    const home = this.current;
    for (let step = 1; step <= this.cpus.length; step++) {
      this.runOn((home + step) % this.cpus.length);
      body(this.cpu);
    }
  }

  setUser(isUser: boolean): void {
    if (this.cpu.isUser === isUser) return;
    this.cpu.isUser = isUser;
    this.emit({ op: "privilege", mode: isUser ? "user" : "supervisor" });
  }

  access(kind: "read" | "write" | "fetch", vpn: Vpn): void {
    this.emit({ op: kind, vpn, offset: this.prng.below(512) * 8 });
  }

  /** The entry as the guest believes it to be. */
  entry(table: Gfn, index: number): Entry {
    return this.guest.image.get(table, index);
  }

  /** Stores an entry through the direct map, in supervisor mode. Boot memory and belief are one image. */
  store(table: Gfn, index: number, entry: Entry, through?: Vpn): void {
    this.setUser(false);
    const vpn = through ?? this.direct(table);
    this.emit({ op: "store", vpn, index, low: entry.low, high: entry.high });
    this.guest.image.set(table, index, entry);
  }

  /** The host's own store, past the guest. */
  hostStore(gfn: Gfn, index: number, entry: Entry): void {
    this.emit({ op: "host", event: { kind: "write", gfn, index, ...entry } });
    this.guest.image.set(gfn, index, entry);
  }

  direct(gfn: Gfn): Vpn {
    return (this.guest.directMap + gfn) as Vpn;
  }

  zero(gfn: Gfn): void {
    this.setUser(false);
    this.emit({ op: "zero-page", vpn: this.direct(gfn) });
    this.guest.image.zero(gfn);
  }

  copy(to: Gfn, from: Gfn): void {
    this.setUser(false);
    this.emit({ op: "copy-page", to: this.direct(to), from: this.direct(from) });
    this.guest.image.copy(to, from);
  }

  load(root: Gfn, pcid: number, keep: boolean): void {
    const { cpu } = this;
    cpu.root = root;
    cpu.pcid = cpu.usesPcid ? pcid : 0;
    this.emit({ op: "write-cr3", cr3: { root, pcid: cpu.pcid, keep: keep && cpu.usesPcid } });
  }

  invlpg(vpn: Vpn): void {
    this.emit({ op: "invlpg", vpn });
  }

  invpcid(type: InvpcidType, pcid: number, vpn = 0 as Vpn): void {
    this.emit({ op: "invpcid", type, pcid, vpn });
  }

  setWriteProtect(writeProtect: boolean): void {
    this.cpu.writeProtect = writeProtect;
    this.emit({ op: "write-cr0", writeProtect });
  }

  setPaging(globalPages: boolean, usesPcid: boolean): void {
    const { cpu } = this;
    // MOV to CR4 may change PCIDE only while the current PCID is 0 (SDM vol. 3A 4.10.1).
    if (cpu.usesPcid !== usesPcid && cpu.pcid !== 0) this.load(cpu.root, 0, false);
    cpu.globalPages = globalPages;
    cpu.usesPcid = usesPcid;
    this.emit({ op: "write-cr4", globalPages, pcid: usesPcid });
  }
}
