/**
 * For tests: a guest of a few page tables, driven op by op, with what each op costs.
 *
 *     gfn 0x10, 0x11, 0x12, 0x20..27   the kernel's PML4, PDPT, PD and PTs: all memory at its own address
 *     gfn 0x100 + 0x10 * s             space s: PML4, PDPT, PD, PT (16 frames each)
 *     gfn 0x800 and up                 data
 *
 * A space maps its pages from PML4 entry 1 on; entry 0 is the kernel's, so tables are stored into at their GPA.
 */
import { buildComputer, type ComputerOptions } from "../computer.ts";
import type { Gfn, Vpn } from "../../machine/address.ts";
import { type Ledger, subtract } from "../../machine/counters.ts";
import {
  asLarge,
  frameOf,
  kernelPage,
  lowHalf,
  userLink,
  userPage,
} from "../../machine/formats/x86-entry.ts";
import type { HostEvent } from "../../hypervisor/host-events.ts";
import type { Machine } from "../../machine/machine.ts";
import type { PageFault } from "../../machine/observer.ts";
import { presets } from "../../machine/presets.ts";
import type { Engine } from "../../hypervisor/engine.ts";

/** Present, writable, user; accessed and dirty as a kernel presets them. */

const memoryFrames = 4096;
const userVpn = 512 ** 3;
const firstData = 0x800;

export type Tables = Readonly<Record<"root" | "pdpt" | "pd" | "pt", Gfn>>;

export class TestGuest {
  readonly machine: Machine;
  readonly hypervisor;
  readonly faults: PageFault[] = [];
  private running = 0;

  constructor(engine: Engine, options: Partial<ComputerOptions> = {}) {
    const computer = buildComputer({
      engine,
      preset: presets["qemu-svm"],
      guestFrames: memoryFrames,
      slotsMax: 8192,
      ...options,
    });
    this.machine = computer.machine;
    this.hypervisor = computer.hypervisor;
    const { memory } = this.hypervisor;
    for (let gfn = 0; gfn < memoryFrames; gfn++) memory.touch(gfn as Gfn);
    this.set(0x10, 0, 0x11, userLink);
    this.set(0x11, 0, 0x12, userLink);
    for (let i = 0; i < memoryFrames; i++) this.set(0x20 + (i >> 9), i & 511, i, kernelPage);
    for (let i = 0; i < 8; i++) this.set(0x12, i, 0x20 + i, userLink);
    for (const vcpu of this.machine.vcpus) {
      vcpu.software = {
        pageFault: (fault) => {
          this.faults.push(fault);
          return "abandon";
        },
      };
      const registers = { writeProtect: true, globalPages: true, pcid: false, levels: 4 } as const;
      vcpu.boot(this.hypervisor, { root: 0x10 as Gfn, pcid: 0, keep: false }, registers);
    }
    // Code, and the tables that tests store into, are mapped before anything is counted.
    for (let gfn = 0x100; gfn < 0x200; gfn++) this.vcpu.write(gfn as Vpn);
    this.vcpu.drain();
  }

  private get vcpu() {
    return this.machine.vcpus[this.running]!;
  }

  /** Writes an entry before boot, or behind the guest's back. */
  set(table: number, index: number, frame: number, flags: number): void {
    this.hypervisor.memory.write(table as Gfn, index, lowHalf(frame, flags), 0);
  }

  /** Flags of a guest entry. */
  flags(table: number, index: number): number {
    return this.hypervisor.memory.readLow(table as Gfn, index) & 0xfff;
  }

  /** The frame that a guest entry names. */
  frame(table: number, index: number): number {
    return frameOf(this.hypervisor.memory.readLow(table as Gfn, index), 0);
  }

  /** Address space `s`, mapping `pages` data frames from its page 0 on. */
  space(s: number, pages: number, flags = userPage): Tables {
    const root = 0x100 + 0x10 * s;
    this.set(root, 0, 0x11, userLink);
    this.set(root, 1, root + 1, userLink);
    this.set(root + 1, 0, root + 2, userLink);
    this.set(root + 2, 0, root + 3, userLink);
    for (let i = 0; i < pages; i++) this.set(root + 3, i, this.data(i), flags);
    const frame = (offset: number) => (root + offset) as Gfn;
    return { root: frame(0), pdpt: frame(1), pd: frame(2), pt: frame(3) };
  }

  /** Space `s` with one 2 MiB page at its start, over the first aligned data frames. */
  largeSpace(s: number, flags = userPage): Tables {
    const tables = this.space(s, 0);
    this.set(tables.pd, 0, firstData, asLarge(flags));
    return tables;
  }

  /** Space `s` of `pages`, loaded, and each of its pages written. */
  usedSpace(s: number, pages: number): Tables {
    const tables = this.space(s, pages);
    this.load(tables.root);
    for (let page = 0; page < pages; page++) this.write(page);
    this.vcpu.drain();
    return tables;
  }

  /** References of one walk of page 0, by dimension: the TLB holds nothing of it. */
  walk(): readonly [guest: number, nested: number] {
    this.vcpu.mmu.flushLinear();
    const { walkReferencesGuest, walkReferencesNested } = this.cost(() => this.read(0));
    return [walkReferencesGuest, walkReferencesNested];
  }

  data(i: number): Gfn {
    return (firstData + i) as Gfn;
  }

  /** The ops that follow run on vCPU `id`. */
  on(id: number): void {
    this.vcpu.drain();
    this.running = id;
    this.hypervisor.host({ kind: "vcpu-run", vcpu: id });
  }

  read(page: number): void {
    this.vcpu.read((userVpn + page) as Vpn);
  }

  write(page: number): void {
    this.vcpu.write((userVpn + page) as Vpn);
  }

  /** Loads CR3 and fetches code, which links what a fresh root lacks. */
  load(root: Gfn): void {
    this.vcpu.writeCr3(root);
    this.vcpu.fetch(0x100 as Vpn);
  }

  invlpg(page: number): void {
    this.vcpu.invlpg((userVpn + page) as Vpn);
  }

  /** The guest stores an entry, through its own mapping of the table. */
  store(table: number, index: number, frame: number, flags: number): void {
    this.vcpu.store(table as Vpn, index, lowHalf(frame, flags), 0);
  }

  zero(table: number): void {
    this.vcpu.zeroPage(table as Vpn);
  }

  host(event: HostEvent): readonly Gfn[] {
    this.vcpu.drain();
    return this.hypervisor.host(event);
  }

  /** What `ops` cost, over all vCPUs. */
  cost(ops: () => void): Ledger {
    this.vcpu.drain();
    const before = this.machine.snapshot().ledger;
    ops();
    this.vcpu.drain();
    return subtract(this.machine.snapshot().ledger, before);
  }

  exits(ops: () => void): number {
    return this.cost(ops).exits;
  }
}
