/**
 * For tests and for claims on single faults: a guest whose #PF handler stores a chain of entries, as a kernel does that
 * maps the first page of a table, of a table of tables, and so on.
 */
import { userLink, userPage } from "../../machine/formats/x86-entry.ts";
import type { Engine } from "../../hypervisor/engine.ts";
import { presets } from "../../machine/presets.ts";
import type { Ledger } from "../../machine/counters.ts";
import { levelsOf } from "../nested/nested-hypervisor.ts";
import { TestGuest } from "./test-guest.ts";

/** Entries that one fault's handler stores: a leaf alone, or a leaf and what leads to it. */
export type StoredEntries = 1 | 2 | 3 | 4;

/** From the space's first page, the page that needs so many entries: in another table, 1 GiB, 512 GiB. */
const pageThatNeeds = { 1: 8, 2: 512, 3: 512 ** 2, 4: 512 ** 3 } as const satisfies Record<
  StoredEntries,
  number
>;

/** Index in the table, and the frame that the entry names. */
type Store = readonly [table: number, index: number, names: number];

export interface FaultingGuest {
  readonly guest: TestGuest;
  /** A store to the page that needs the entries: the fault, its handler, and the store again. */
  readonly fault: () => Ledger;
}

/** The guest at work in a space whose first page is mapped and was read; nobody below lacks a frame. */
export function faultingGuest(engine: Engine, entries: StoredEntries): FaultingGuest {
  const guest = new TestGuest(engine, { preset: presets["skylake-sp"] });
  const tables = guest.space(0, 1);
  const [leaf, middle, upper] = [tables.root + 4, tables.root + 5, tables.root + 6];
  const page = guest.data(9);
  const chains: Readonly<Record<StoredEntries, readonly Store[]>> = {
    1: [[tables.pt, 8, page]],
    2: [
      [tables.pd, 1, leaf],
      [leaf, 0, page],
    ],
    3: [
      [tables.pdpt, 1, middle],
      [middle, 0, leaf],
      [leaf, 0, page],
    ],
    4: [
      [tables.root, 2, upper],
      [upper, 0, middle],
      [middle, 0, leaf],
      [leaf, 0, page],
    ],
  };
  const chain = chains[entries];
  // L0 knows all frames, as below an L1 that ran other guests before.
  levelsOf(guest.hypervisor)?.useAllMemory();
  guest.load(tables.root);
  guest.read(0);
  for (const vcpu of guest.machine.vcpus) {
    vcpu.software = {
      pageFault() {
        for (const [table, index, names] of chain) {
          guest.store(table, index, names, names === page ? userPage : userLink);
        }
        return "retry";
      },
    };
  }
  return { guest, fault: () => guest.cost(() => guest.write(pageThatNeeds[entries])) };
}
