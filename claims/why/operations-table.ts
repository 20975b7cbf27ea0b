/**
 * Guest operations one by one on a bare guest, each repeated 512 times: what exits does one cost?
 *
 * `measured` are slopes fitted to what Linux 6.1 and 6.12 did on a real (emulated AMD) processor; the counts
 * behind them are in `results/groundtruth`. 512 operations fill one page table, so what happens once per
 * table shows as 0.002.
 */
import {
  freshPage,
  userLink,
  userPage,
  withoutDirty,
  withoutWrite,
} from "../../machine/formats/x86-entry.ts";
import type { Vpn } from "../../machine/address.ts";
import type { Engine } from "../../hypervisor/engine.ts";
import { type Tables, TestGuest } from "../../engines/kvm/test-guest.ts";

const operationCount = 512;

/** A guest at work, and the tables of its address space. */
interface Scene {
  readonly guest: TestGuest;
  readonly tables: Tables;
}

export interface Operation {
  readonly name: string;
  /** Exits per operation: Linux 6.1 and 6.12 with shadow paging, 6.x with nested paging (TDP MMU). */
  readonly measured: readonly [kvm61: number, kvm612: number, tdp: number];
  /** Entries' flags at the start; absent: mapped, A and D set. Null: no page is mapped. */
  readonly flags?: number | null;
  /** Frames that the nested tables do not know yet. */
  readonly isCold?: boolean;
  /** Brings pages into use before counting starts. */
  readonly before?: (scene: Scene) => void;
  readonly run: (scene: Scene) => void;
}

const readOnly = withoutWrite(userPage);

function each(visit: (page: number) => void): void {
  for (let page = 0; page < operationCount; page++) visit(page);
}

const readAll = ({ guest }: Scene) => each((page) => guest.read(page));

/** Pages appear one by one, each flushed and touched. */
function mapFlushTouch({ guest, tables }: Scene): void {
  each((page) => {
    guest.store(tables.pt, page, guest.data(page), userPage);
    guest.invlpg(page);
    guest.read(page);
  });
}

/** One page again and again: a store of its entry, then what makes it count, then a touch. */
function again(
  scene: Scene,
  entry: (i: number) => readonly [frame: number, flags: number],
  settle: "reload" | "invlpg",
) {
  const { guest, tables } = scene;
  each((i) => {
    const [frame, flags] = entry(i);
    guest.store(tables.pt, 0, frame, flags);
    if (settle === "reload") guest.load(tables.root);
    else guest.invlpg(0);
    guest.read(0);
  });
}

/** The guest's own #PF handler: it gives the page a frame and lets the access be repeated. */
function withHandler({ guest, tables }: Scene, fault: "demand" | "copy"): void {
  const [vcpu] = guest.machine.vcpus;
  if (vcpu === undefined) return;
  vcpu.software = {
    pageFault({ vpn }) {
      const page = vpn % operationCount;
      guest.store(
        tables.pt,
        page,
        guest.data(fault === "copy" ? operationCount + page : page),
        userPage,
      );
      if (fault === "copy") guest.invlpg(page);
      return "retry";
    },
  };
  each((page) => guest.write(page));
}

export const operations: readonly Operation[] = [
  { name: "first touch, A and D set", measured: [0.125, 0.125, 0], run: readAll },
  { name: "first touch, A clear", measured: [1, 1, 0], flags: freshPage, run: readAll },
  {
    name: "first write after reads, D clear",
    measured: [1, 1, 0],
    flags: withoutDirty(userPage),
    before: readAll,
    run: ({ guest }) => each((page) => guest.write(page)),
  },
  { name: "second touch", measured: [0, 0, 0], before: readAll, run: readAll },
  {
    name: "first touch of a frame that nested tables lack",
    measured: [0.125, 0.125, 1],
    isCold: true,
    run: readAll,
  },
  {
    name: "INVLPG of a mapped page",
    measured: [1, 1, 0],
    before: readAll,
    run: ({ guest }) => each((page) => guest.invlpg(page)),
  },
  {
    name: "PTE store: map, no flush",
    measured: [0.0028, 0.0028, 0],
    flags: null,
    before: ({ guest, tables }) => {
      guest.set(tables.pt, 0, guest.data(0), userPage);
      guest.read(0);
    },
    run: ({ guest, tables }) =>
      each((page) => guest.store(tables.pt, page, guest.data(page), userPage)),
  },
  {
    name: "PTE store, INVLPG, touch",
    measured: [1, 1.9972, 0],
    flags: null,
    before: ({ guest, tables }) => {
      guest.set(tables.pt, 0, guest.data(0), userPage);
      guest.read(0);
    },
    run: mapFlushTouch,
  },
  {
    name: "PTE store: unmap, no flush",
    measured: [0.0028, 0.0028, 0],
    before: readAll,
    run: ({ guest, tables }) => each((page) => guest.store(tables.pt, page, 0, 0)),
  },
  {
    name: "PTE store: unmap, INVLPG",
    measured: [1.0028, 1.0028, 0],
    before: readAll,
    run: ({ guest, tables }) =>
      each((page) => {
        guest.store(tables.pt, page, 0, 0);
        guest.invlpg(page);
      }),
  },
  {
    name: "one PTE: new frame, INVLPG, touch",
    measured: [1, 2, 0],
    before: readAll,
    run: (scene) => again(scene, (i) => [scene.guest.data(1 + (i % 8)), userPage], "invlpg"),
  },
  {
    name: "one PTE: new frame, CR3 load, touch",
    measured: [3, 3, 0],
    before: readAll,
    run: (scene) => again(scene, (i) => [scene.guest.data(1 + (i % 8)), userPage], "reload"),
  },
  {
    name: "one PTE: W flipped, INVLPG, touch",
    measured: [1, 1, 0],
    before: readAll,
    run: (scene) =>
      again(scene, (i) => [scene.guest.data(0), i % 2 === 0 ? readOnly : userPage], "invlpg"),
  },
  {
    name: "one PTE: W flipped, CR3 load, touch",
    measured: [2, 2, 0],
    before: readAll,
    run: (scene) =>
      again(scene, (i) => [scene.guest.data(0), i % 2 === 0 ? readOnly : userPage], "reload"),
  },
  {
    name: "demand #PF",
    measured: [2.0028, 2.0028, 0],
    flags: null,
    before: ({ guest }) => guest.read(0),
    run: (scene) => withHandler(scene, "demand"),
  },
  {
    name: "copy-on-write #PF",
    measured: [2.0028, 3.0028, 0],
    flags: readOnly,
    before: readAll,
    run: (scene) => withHandler(scene, "copy"),
  },
  {
    name: "CR3 load, same root",
    measured: [1, 1, 0],
    before: readAll,
    run: ({ guest, tables }) => each(() => guest.load(tables.root)),
  },
  {
    name: "CR3 load after 16 PTE stores",
    measured: [2, 2, 0],
    before: readAll,
    run: ({ guest, tables }) =>
      each(() => {
        for (let i = 0; i < 16; i++) guest.store(tables.pt, i, guest.data(i), userPage);
        guest.load(tables.root);
      }),
  },
  {
    name: "PML4 store",
    measured: [1, 1, 0],
    before: readAll,
    run: ({ guest, tables }) => each(() => guest.store(tables.root, 2, tables.pdpt, userLink)),
  },
  {
    name: "CPUID",
    measured: [1, 1, 1],
    run: ({ guest }) => each(() => guest.machine.vcpus[0]?.cpuid()),
  },
];

/** Exits of one operation under an engine, on average. */
export function exitsPerOperation(operation: Operation, engine: Engine): number {
  const [exits = 0] = countsPerOperation(operation, engine, ({ machine }) => [
    machine.vcpus[0]?.ledger.exits ?? 0,
  ]);
  return exits;
}

/** By what counts grow with one operation under an engine, on average. */
export function countsPerOperation(
  { flags, isCold, before, run }: Operation,
  engine: Engine,
  count: (guest: TestGuest) => readonly number[],
): number[] {
  const guest = new TestGuest(engine);
  const tables = guest.space(0, flags === null ? 0 : operationCount, flags ?? userPage);
  const scene: Scene = { guest, tables };
  if (isCold !== true) {
    // Through the kernel's own mapping: nested tables then know the frames, the shadow of this space does not.
    for (let i = 0; i < 2 * operationCount; i++) {
      guest.machine.vcpus[0]?.write(guest.data(i) as number as Vpn);
    }
  }
  guest.load(tables.root);
  before?.(scene);
  const settled = () => {
    guest.machine.vcpus[0]?.drain();
    return count(guest);
  };
  const counted = settled();
  run(scene);
  return settled().map((now, i) => (now - (counted[i] ?? 0)) / operationCount);
}
