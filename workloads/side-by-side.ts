/**
 * Two processes in turn: one looks things up in a large table of its own and stores to no page table, the other maps and unmaps
 * blocks all the time.
 *
 * Shape: the one is what shadow paging is good at, the other what nested paging is good at; as a whole the guest is neither.
 * How long a turn is decides what the CR3 writes between them cost.
 */
import type { Vpn } from "../machine/address.ts";
import type { Guest, Pid } from "../guest/guest.ts";
import { footprintFrames } from "../guest/footprint.ts";
import type { Prng } from "../guest/prng.ts";
import { type KernelSwitches, onDemand, switches } from "./options.ts";
import type { Workload } from "./workload.ts";
import { workingSet, writeEach } from "./working-set.ts";

type SideBySideParams = KernelSwitches & {
  /** The table of the one, in 4 KiB pages. */
  readonly pages: number;
  /** Lookups in each of its turns. */
  readonly lookups: number;
  /** Blocks of the other, of `blockPages` each, that it maps, writes and unmaps in each of its turns. */
  readonly blocks: number;
  readonly blockPages: number;
  /** Turns of each. */
  readonly turns: number;
};

function lookUp(guest: Guest, base: Vpn, { pages, lookups }: SideBySideParams, prng: Prng): void {
  for (let i = 0; i < lookups; i++) guest.read((base + prng.below(pages)) as Vpn);
}

function churn(guest: Guest, { blocks, blockPages }: SideBySideParams): void {
  for (let i = 0; i < blocks; i++) {
    const block = guest.map(blockPages, onDemand("4k"));
    writeEach(guest, block, blockPages);
    guest.unmap(block, blockPages);
  }
}

export const sideBySide: Workload<SideBySideParams> = {
  title: "Two processes of two kinds",
  summary: "A server that looks things up beside an allocator that maps and unmaps, in turn.",
  defaults: {
    pages: 8192,
    lookups: 20_000,
    blocks: 8,
    blockPages: 32,
    turns: 40,
    kpti: 0,
    pcid: 1,
    usedMemory: 1,
  },
  computeCycles: { perOp: 4, source: "assumed: address arithmetic of one lookup" },
  guestFrames: ({ pages, blockPages }) =>
    footprintFrames({ pages: pages + blockPages, processes: 2 }),
  guestOptions: switches,

  run(guest, params, prng) {
    const server = 1 as Pid;
    const allocator = guest.fork();
    const base = workingSet(guest, params.pages, "4k");
    guest.measure();
    for (let turn = 0; turn < params.turns; turn++) {
      lookUp(guest, base, params, prng);
      guest.switchTo(allocator);
      churn(guest, params);
      guest.switchTo(server);
    }
    guest.compute(params.turns * params.lookups);
  },
};
