/**
 * A guest so small that all its counts can be told by hand: user pages, its tables, and nothing that runs by itself.
 *
 *     from frame 16      tables, which a direct map shows
 *     from `firstFrame`  user page i in frame `firstFrame + i`
 *
 * A and D are set everywhere, so that no exit is owed to anything but what a channel does.
 */
import { type Gfn, indexAt, type Vpn } from "../../machine/address.ts";
import {
  frameOf,
  kernelPage,
  lowHalf,
  userPage as writtenPage,
  withoutWrite,
} from "../../machine/formats/x86-entry.ts";
import type { HostRoom, Machine, MachineOptions } from "../../machine/machine.ts";
import { presets } from "../../machine/presets.ts";
import type { Vcpu } from "../../machine/vcpu.ts";
import type { Engine } from "../../hypervisor/engine.ts";
import type { Hypervisor } from "../../hypervisor/hypervisor.ts";
import { type HostMemory, hostMemoryOf } from "../../hypervisor/memory/host-memory.ts";
import { MemoryPolicy } from "../../hypervisor/policy/memory-policy.ts";
import type { PolicyRule } from "../../hypervisor/policy/rules.ts";
import { type Watcher, watched } from "../../hypervisor/watched.ts";
import { assert } from "../../machine/assert.ts";
import { attachOracle, type Oracle } from "../../check/oracle/oracle.ts";
import { BootImage, entryTo } from "../../check/fuzz/program.ts";
import { buildComputer } from "../../engines/computer.ts";

const pagesPerTop = 512 ** 3;
const userBase = pagesPerTop;
const directBase = 256 * pagesPerTop;
const root = 16 as Gfn;
export const codeFlags = withoutWrite(writtenPage);

export interface SmallGuestOptions {
  readonly engine: Engine;
  /** User pages. */
  readonly pages: number;
  /** How many of them, from the first on, are code that nobody writes; absent: none. */
  readonly codePages?: number;
  /** How many of them are mapped when it boots; absent: all. */
  readonly mappedPages?: number;
  /** Absent: none, and nobody to enforce them. */
  readonly rules?: readonly PolicyRule[];
  /** Looks on at exits. */
  readonly watcher?: Watcher;
  readonly host?: HostRoom;
  /** The processor, if it is another than that of all channels. */
  readonly core?: Partial<Pick<MachineOptions, "preset" | "mmu" | "backing">>;
  /** Is every access held against the oracle? */
  readonly check: boolean;
}

export class SmallGuest {
  readonly machine: Machine;
  readonly vcpu: Vcpu;
  readonly hypervisor: Hypervisor;
  readonly oracle: Oracle | null;
  private readonly image = new BootImage();
  private nextTable = root + 1;

  constructor(options: SmallGuestOptions) {
    const { engine, pages, rules = [], watcher = {}, host, core, check } = options;
    const policy = rules.length === 0 ? undefined : new MemoryPolicy(rules);
    const { machine, vcpu, hypervisor } = buildComputer({
      engine,
      preset: presets["skylake-sp"],
      ...core,
      guestFrames: guestFramesFor(pages),
      ...(policy === undefined ? {} : { policy }),
      ...(host === undefined ? {} : { host }),
    });
    this.machine = machine;
    this.vcpu = vcpu;
    const native = engine.family === "bare";
    this.oracle = check ? attachOracle(machine, { native, engine: engine.title }) : null;
    if (policy !== undefined) this.oracle?.police(policy);
    const noted = watched(hypervisor, watcher);
    this.hypervisor = this.oracle?.watch(noted) ?? noted;
    this.buildTables(options);
    this.boot();
  }

  /** Its memory as its host has it; on bare metal there is no host. */
  get memory(): HostMemory {
    const memory = hostMemoryOf(this.hypervisor);
    assert(memory !== null, "channel: no host");
    return memory;
  }

  /** Where the entry of a user page is, for whoever may store there: the table's page of the direct map, and the index. */
  entryOf(page: number): { readonly table: Vpn; readonly index: number } {
    const vpn = userPage(page);
    let table = root as number;
    for (let level = 4; level > 1; level--) {
      const { low, high } = this.image.get(table as Gfn, indexAt(vpn, level));
      table = frameOf(low, high);
    }
    return { table: direct(table as Gfn), index: indexAt(vpn, 1) };
  }

  /** Its vCPU has the core from now on: nothing that the core has cached of translations is left. */
  enter(): void {
    const { vcpu } = this;
    vcpu.mmu.flushLinear();
    vcpu.mmu.flushNested();
    vcpu.setControls(vcpu.controls);
    vcpu.writeCr3(root);
  }

  /** Pages that are in memory. */
  get backed(): number {
    let pages = 0;
    this.memory.forEachBacked(() => (pages += 1));
    return pages;
  }

  /** The guest's kernel maps a page that was not. */
  mapPage(page: number): void {
    const { table, index } = this.entryOf(page);
    this.vcpu.store(table, index, lowHalf(frameOfPage(page), writtenPage), 0);
  }

  private buildTables({ pages, codePages = 0, mappedPages = pages }: SmallGuestOptions): void {
    for (let gfn = root as number; gfn < root + tablesMax; gfn++) {
      this.map(direct(gfn as Gfn), gfn as Gfn, kernelPage);
    }
    for (let page = 0; page < pages; page++) {
      const flags = page < codePages ? codeFlags : writtenPage;
      this.map(userPage(page), frameOfPage(page), page < mappedPages ? flags : 0);
    }
    assert(this.nextTable <= root + tablesMax, "channel: more tables than its direct map shows");
  }

  private map(vpn: Vpn, gfn: Gfn, flags: number): void {
    let table = root;
    for (let level = 4; level > 1; level--) {
      const index = indexAt(vpn, level);
      const { low, high } = this.image.get(table, index);
      let next = frameOf(low, high) as Gfn;
      if (low === 0) {
        next = this.nextTable as Gfn;
        this.nextTable += 1;
        this.image.set(table, index, entryTo(next, writtenPage));
      }
      table = next;
    }
    if (flags !== 0) this.image.set(table, indexAt(vpn, 1), entryTo(gfn, flags));
  }

  private boot(): void {
    const { vcpu } = this;
    const { memory } = this.hypervisor;
    for (const { gfn, index, count, low, high } of this.image.fills()) {
      for (let i = 0; i < count; i++) memory.write(gfn, index + i, low + i * 4096, high);
    }
    vcpu.boot(
      this.hypervisor,
      { root, pcid: 0, keep: false },
      { writeProtect: true, globalPages: false, pcid: false, levels: 4 },
    );
  }
}

/** Frames for tables. */
export const tablesMax = 16;
/** Frames before it are the kernel's. */
const firstFrame = 128;

/** Frames that a guest with so many user pages has. */
export function guestFramesFor(pages: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(512, firstFrame + pages)));
}

export function userPage(page: number): Vpn {
  return (userBase + page) as Vpn;
}

export function frameOfPage(page: number): Gfn {
  return (firstFrame + page) as Gfn;
}

/** The frame of a table. */
export function frameOfTable(table: number): Gfn {
  return (root + table) as Gfn;
}

/** The page of the direct map that shows a frame. */
export function direct(gfn: Gfn): Vpn {
  return (directBase + gfn) as Vpn;
}
