/**
 * A guest kernel that stores to chosen entries of its own leaf tables, for claims about single PTE writes.
 *
 * The tables are those that the kernel made for one populated mapping; stores go through the direct map, as
 * the kernel's own do.
 */
import type { EngineName } from "../../engines/index.ts";
import { DirectMap } from "../../guest/direct-map.ts";
import { footprintFrames } from "../../guest/footprint.ts";
import type { OperatingSystem } from "../../guest/operating-system.ts";
import { type Gfn, indexAt, type Vpn } from "../../machine/address.ts";
import { frameOf } from "../../machine/formats/x86-entry.ts";
import { type Ledger, subtract } from "../../machine/counters.ts";
import type { MmuFactory } from "../../machine/machine.ts";
import { x86Isa } from "../../machine/isa/x86.ts";
import type { Vcpu } from "../../machine/vcpu.ts";
import { type BootedMachine, bootMachine, type HostName } from "../points/boot-machine.ts";

/** One table entry, both halves. */
export interface Entry {
  readonly low: number;
  readonly high: number;
}

export interface TableBench {
  readonly guest: OperatingSystem;
  readonly vcpu: Vcpu;
  /** First page of the mapping; it starts a leaf table. */
  readonly base: Vpn;
  /** Its pages that fill leaf tables. */
  readonly pages: number;
  /** The table that has the page's entry at this level. */
  readonly tableOf: (vpn: Vpn, level: 1 | 2) => Gfn;
  /** The kernel's way to its tables. */
  readonly map: DirectMap;
  /** The guest's entry as it is in memory. */
  readonly entryOf: (vpn: Vpn, level: 1 | 2) => Entry;
  readonly store: (vpn: Vpn, level: 1 | 2, entry: Entry) => void;
  /** Stores the entry as it is. */
  readonly rewrite: (vpn: Vpn, level: 1 | 2) => void;
  readonly clear: (vpn: Vpn) => void;
  /** What `body` counted, supervisor mode. */
  readonly during: (body: () => void) => Ledger;
  /** All counts since power-on. */
  readonly counted: () => Ledger;
}

/** Leaf tables of the mapping; 512 pages each. */
const leafTables = 8;
const tablePages = 512;

/** Every page of the mapping has been written once when this returns. */
export function tableBench(engine: EngineName, host: HostName, mmu?: MmuFactory): TableBench {
  const pages = (leafTables + 1) * tablePages;
  const booted = bootMachine({
    engine,
    host,
    guestFrames: footprintFrames({ pages, processes: 1 }),
    ...(mmu === undefined ? {} : { hardware: { mmu } }),
  });
  const { guest, vcpu, machine, hypervisor } = booted;
  const mapped = guest.map(pages, { fill: "populate", pages: "4k", writable: true });
  const base = (Math.ceil(mapped / tablePages) * tablePages) as Vpn;
  for (let page = 0; page < leafTables * tablePages; page++) guest.write((base + page) as Vpn);
  vcpu.drain();
  const map = new DirectMap(vcpu, booted.directMap, x86Isa);
  const entryOf = (vpn: Vpn, level: 1 | 2): Entry => {
    const table = tableAt(booted, vpn, level);
    const index = indexAt(vpn, level);
    const { memory } = hypervisor;
    return { low: memory.readLow(table, index), high: memory.readHigh(table, index) };
  };
  const store = (vpn: Vpn, level: 1 | 2, { low, high }: Entry): void => {
    map.store(tableAt(booted, vpn, level), indexAt(vpn, level), low, high);
  };
  return {
    guest,
    vcpu,
    base,
    pages: leafTables * tablePages,
    tableOf: (vpn, level) => tableAt(booted, vpn, level),
    map,
    entryOf,
    store,
    rewrite: (vpn, level) => store(vpn, level, entryOf(vpn, level)),
    counted: () => machine.snapshot().ledger,
    clear: (vpn) => store(vpn, 1, { low: 0, high: 0 }),
    during(body) {
      const before = machine.snapshot().ledger;
      vcpu.setPrivilege("supervisor");
      body();
      vcpu.drain();
      vcpu.setPrivilege("user");
      return subtract(machine.snapshot().ledger, before);
    },
  };
}

function tableAt({ vcpu, hypervisor }: BootedMachine, vpn: Vpn, level: 1 | 2): Gfn {
  const { memory } = hypervisor;
  let table = vcpu.cr3.root;
  for (let at: number = vcpu.registers.levels; at > level; at--) {
    const index = indexAt(vpn, at);
    table = frameOf(memory.readLow(table, index), memory.readHigh(table, index)) as Gfn;
  }
  return table;
}
