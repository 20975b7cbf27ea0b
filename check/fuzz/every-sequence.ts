/**
 * Every sequence of four ops out of twelve, on two neighbouring pages: what random programs may step over.
 *
 * After each sequence the guest puts its tables back and flushes, and the next one follows on the same
 * machine, so a sequence also meets whatever a hypervisor kept from those before. A program holds all the
 * sequences that start alike.
 */
import { type Gfn, indexAt, type Vpn } from "../../machine/address.ts";
import {
  asLarge,
  freshPage,
  userLink,
  userPage,
  withoutWrite,
} from "../../machine/formats/x86-entry.ts";
import type { TraceOp } from "../../workloads/trace/ops.ts";
import { buildImage, dataFrame, type GuestImage, memoryFrames, tableKey } from "./guest-image.ts";
import { type Entry, entryTo, notPresent, type OpGroup, type Program } from "./program.ts";

const page = 1 as Vpn;
const neighbour = 2 as Vpn;
/** A data frame that no page has at boot. */
const elsewhere = 1500;

/** Programs of all sequences of `length` ops, at least 2. */
export function* everySequence(length: number): Generator<Program> {
  const guest = buildImage({
    levels: 4,
    spaces: 1,
    direct: "4k",
    globalKernel: false,
    selfMap: false,
  });
  const root = guest.spaces[0]?.root;
  if (root === undefined) throw new Error("bug: fuzz: a guest without an address space");
  const header = {
    version: 3,
    memoryFrames,
    vcpus: 1,
    backing: "4k",
    shadowPagesMax: null,
    dirtyLogArmedBy: null,
    registers: { writeProtect: true, globalPages: true, pcid: false, levels: 4 },
    fills: guest.image.fills(),
    boot: { root, pcid: 0, keep: false },
  } as const;
  const alphabet = alphabetOf(guest, root);
  const reset = resetOf(guest, root);
  for (const first of sequences(alphabet, 2)) {
    const groups: OpGroup[] = [];
    for (const rest of sequences(alphabet, length - 2)) groups.push([...first, ...rest, ...reset]);
    yield { header, groups, isOrderly: false };
  }
}

function* sequences(alphabet: readonly TraceOp[], length: number): Generator<TraceOp[]> {
  if (length === 0) {
    yield [];
    return;
  }
  for (const op of alphabet) {
    for (const rest of sequences(alphabet, length - 1)) yield [op, ...rest];
  }
}

function alphabetOf(guest: GuestImage, root: Gfn): TraceOp[] {
  const table = tableOf(guest, 1);
  const directory = tableOf(guest, 2);
  const [spare = table] = guest.spareTables;
  const pte = (entry: Entry) => store(guest, table, indexAt(page, 1), entry);
  const pde = (entry: Entry) => store(guest, directory, indexAt(page, 2), entry);
  return [
    { op: "read", vpn: page, offset: 0 },
    { op: "write", vpn: page, offset: 0 },
    { op: "read", vpn: neighbour, offset: 0 },
    pte(notPresent),
    pte(entryTo(dataFrame(0, 1), withoutWrite(freshPage))),
    pte(entryTo(elsewhere, freshPage)),
    pte(entryTo(elsewhere, userPage)),
    pde(entryTo(spare, freshPage)),
    pde(entryTo(table, userLink)),
    pde(entryTo(1024, asLarge(freshPage))),
    { op: "invlpg", vpn: page },
    { op: "write-cr3", cr3: { root, pcid: 0, keep: false } },
  ];
}

/** Tables as at boot, the spare one with pages of its own, nothing cached. */
function resetOf(guest: GuestImage, root: Gfn): TraceOp[] {
  const table = tableOf(guest, 1);
  const [spare = table] = guest.spareTables;
  const entries = [page, neighbour].flatMap((vpn, i) => [
    store(guest, table, indexAt(vpn, 1), entryTo(dataFrame(0, i + 1), freshPage)),
    store(guest, spare, indexAt(vpn, 1), entryTo(elsewhere + 1 + i, freshPage)),
  ]);
  return [
    store(guest, tableOf(guest, 2), indexAt(page, 2), entryTo(table, freshPage)),
    ...entries,
    { op: "write-cr3", cr3: { root, pcid: 0, keep: false } },
  ];
}

function tableOf(guest: GuestImage, level: number): Gfn {
  const table = guest.spaces[0]?.tables.get(tableKey(level, page));
  if (table === undefined) throw new Error(`bug: fuzz: no table of level ${level}`);
  return table;
}

function store(guest: GuestImage, table: Gfn, index: number, { low, high }: Entry): TraceOp {
  return { op: "store", vpn: (guest.directMap + table) as Vpn, index, low, high };
}
