/**
 * Guest operations, instruction by instruction, under any engine: what each costs and who does it.
 *
 * The guest kernel is real and so are its tables; the instructions below are executed on its vCPU, as kernel
 * code would, through its own window on physical memory.
 */
import { kernelLayout } from "../../guest/layout.ts";
import { type Gfn, indexAt, type Vpn } from "../../machine/address.ts";
import type { Ledger } from "../../machine/counters.ts";
import {
  frameOf,
  highHalf,
  lowHalf,
  userPage,
  withoutWrite,
} from "../../machine/formats/x86-entry.ts";
import { type Happening, Recorder } from "./recorder.ts";
import { createWorld, type World } from "./world.ts";

export interface Instruction {
  readonly text: string;
  readonly run: (bench: Workbench) => void;
}

export interface Operation {
  readonly title: string;
  readonly instructions: readonly Instruction[];
}

/** Four pages that are mapped and used, and a region that nobody has touched. */
export interface Workbench {
  readonly world: World;
  readonly page: (number: number) => Vpn;
  readonly untouched: Vpn;
}

export interface Done {
  readonly happenings: readonly Happening[];
  readonly work: Ledger;
}

const firstPage = 0x400;
const used = 4;

const readOnly = withoutWrite(userPage);

const store = (page: number): Instruction => ({
  text: `Store to the entry of page ${page + 1}: now read-only`,
  run: (bench) => asKernel(bench, () => storeEntry(bench, page, readOnly)),
});
const allow = (page: number): Instruction => ({
  text: `Store to the entry of page ${page + 1}: writable again`,
  run: (bench) => asKernel(bench, () => storeEntry(bench, page, userPage)),
});
const flush = (page: number): Instruction => ({
  text: `INVLPG of page ${page + 1}`,
  run: (bench) => asKernel(bench, () => bench.world.vcpu.invlpg(bench.page(page))),
});
const read = (page: number): Instruction => ({
  text: `Read page ${page + 1}`,
  run: ({ world, page: at }) => world.guest.read(at(page)),
});
const loadCr3: Instruction = {
  text: "Load CR3 with the same root, flushing",
  run: (bench) => {
    const { vcpu } = bench.world;
    asKernel(bench, () => vcpu.writeCr3(vcpu.cr3.root, vcpu.cr3.pcid));
  },
};

export const operations = {
  "pte-store": {
    title: "Change a page's entry, flush it, use the page",
    instructions: [store(0), flush(0), read(0)],
  },
  "pte-stores": {
    title: "Change four entries of one table, then flush each",
    instructions: [store(0), store(1), store(2), store(3), flush(0), flush(1), flush(2), flush(3)],
  },
  "pte-again": {
    title: "Change the same entry twice",
    instructions: [store(0), flush(0), allow(0), flush(0), read(0)],
  },
  invlpg: { title: "INVLPG, then use the page", instructions: [read(0), flush(0), read(0)] },
  cr3: {
    title: "Load CR3, then use two pages",
    instructions: [loadCr3, read(0), read(1)],
  },
  "first-touch": {
    title: "First touch of a page: demand paging",
    instructions: [
      {
        text: "Write to a page that nobody has touched",
        run: ({ world, untouched }) => world.guest.write(untouched),
      },
      {
        text: "Write to its neighbour, as new",
        run: ({ world, untouched }) => world.guest.write((untouched + 1) as Vpn),
      },
    ],
  },
} as const satisfies Record<string, Operation>;

export type OperationName = keyof typeof operations;

/** What each instruction of the operation did, in order. */
export function runOperation(
  { instructions }: Operation,
  { engine, preset }: { readonly engine: string; readonly preset: string },
): Done[] {
  const recorder = new Recorder();
  const world = createWorld({
    engine,
    preset,
    guestLevels: 4,
    nestedLevels: 4,
    backing: "4k",
    watch: recorder.watch,
  });
  const bench = prepare(world);
  return instructions.map(({ run }) => recorder.record(() => run(bench)));
}

function prepare(world: World): Workbench {
  const { guest, vcpu } = world;
  const page = (number: number) => (firstPage + number) as Vpn;
  guest.mapAt(page(0), used, { fill: "populate", pages: "4k", writable: true });
  const untouched = page(512);
  guest.mapAt(untouched, used, { fill: "demand", pages: "4k", writable: true });
  for (let number = 0; number < used; number++) guest.write(page(number));
  vcpu.drain();
  return { world, page, untouched };
}

/** The kernel's code runs in supervisor mode; the program goes on in user mode. */
function asKernel({ world }: Workbench, body: () => void): void {
  world.vcpu.drain();
  world.vcpu.setPrivilege("supervisor");
  body();
  world.vcpu.drain();
  world.vcpu.setPrivilege("user");
}

function storeEntry({ world, page }: Workbench, number: number, flags: number): void {
  const { table, index, frame } = leafOf(world, page(number));
  const { directMap } = kernelLayout(world.vcpu.registers.levels);
  const window = (directMap + table) as Vpn;
  world.vcpu.store(window, index, lowHalf(frame, flags), highHalf(frame));
}

/** Looked up in memory by us, not by the guest: it costs the simulation nothing. */
function leafOf({ vcpu, hypervisor }: World, vpn: Vpn) {
  const { memory } = hypervisor;
  let table: Gfn = vcpu.cr3.root;
  for (let level: number = vcpu.registers.levels; ; level--) {
    const index = indexAt(vpn, level);
    const frame = frameOf(memory.readLow(table, index), memory.readHigh(table, index));
    if (level === 1) return { table, index, frame };
    table = frame as Gfn;
  }
}
