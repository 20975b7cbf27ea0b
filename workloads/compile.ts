/**
 * A build: make forks, the child execs a compiler, which maps sources, fills a heap and exits.
 *
 * Shape: processes, page faults and file mappings, then real work on a heap. Each cost is mild, their sum is
 * what made hardware shadow paging lose to software in its time.
 *
 * Model: an operation stands for what a compiler does between two pages, on a heap of 2 MiB, not of the tens
 * that a real one fills. So faults have their weight, but TLB misses too little. Bias: for EPT.
 *
 * Source: Adams and Agesen, ASPLOS 2006 (kernel compile: 204 s native, 281 s under hardware shadow paging).
 */
import type { Vpn } from "../machine/address.ts";
import { type Guest, imageDataVpn, type Pid } from "../guest/guest.ts";
import { footprintFrames } from "../guest/footprint.ts";
import type { Prng } from "../guest/prng.ts";
import { type KernelSwitches, onDemand, switches } from "./options.ts";
import type { Workload } from "./workload.ts";
import { writeEach } from "./working-set.ts";

type CompileParams = KernelSwitches & {
  readonly jobs: number;
  /** Compiler image, in 4 KiB pages: half code, half data. */
  readonly imagePages: number;
  /** Headers that every job maps, in pages. */
  readonly headerPages: number;
  /** Heap of one job, in pages. */
  readonly heapPages: number;
  /** Accesses per heap page, spread over heap, headers and code. */
  readonly accessesPerPage: number;
};

/** File number of the headers; sources follow. */
const headersFile = 1;
const sourcePages = 16;

/** Image of make itself. */
const makePages = 64;

function compileOne(guest: Guest, job: number, params: CompileParams, prng: Prng): void {
  const { imagePages, headerPages, heapPages, accessesPerPage } = params;
  const readOnly = { fill: "demand", pages: "4k", writable: false } as const;
  guest.exec(imagePages);
  writeEach(guest, imageDataVpn(guest, imagePages), Math.floor(imagePages / 4));
  const headers = guest.map(headerPages, { ...readOnly, file: headersFile });
  const source = guest.map(sourcePages, { ...readOnly, file: headersFile + 1 + job });
  for (let i = 0; i < sourcePages; i++) guest.read((source + i) as Vpn);
  const codePages = Math.ceil(imagePages / 2);
  // The heap grows as the job proceeds: what is there already gets used again and again.
  const heap = guest.map(heapPages, onDemand("4k"));
  for (let grown = 1; grown <= heapPages; grown++) {
    guest.write((heap + grown - 1) as Vpn);
    for (let i = 0; i < accessesPerPage; i++) {
      const where = prng.below(8);
      if (where === 0) guest.fetch((guest.image + prng.below(codePages)) as Vpn);
      else if (where === 1) guest.read((headers + prng.below(headerPages)) as Vpn);
      else if (where === 2) guest.write((heap + prng.below(grown)) as Vpn);
      else guest.read((heap + prng.below(grown)) as Vpn);
    }
    guest.compute(accessesPerPage);
  }
  // Reads of sources and writes of the object file.
  for (let i = 0; i < sourcePages; i++) guest.syscall();
  guest.unmap(source, sourcePages);
}

export const compile: Workload<CompileParams> = {
  title: "Compile mix",
  summary: "make: fork, exec, page faults, file mappings, exit, once per source file.",
  defaults: {
    jobs: 4,
    imagePages: 256,
    headerPages: 256,
    heapPages: 512,
    accessesPerPage: 64,
    kpti: 0,
    pcid: 1,
    usedMemory: 1,
  },
  // One fault in 136,000 cycles, 2,824 faults for 131,072 operations of four jobs, the kernel's share taken off.
  computeCycles: {
    perOp: 2900,
    source:
      "measured: gcc 12 -O2, 52 microseconds of CPU time per page fault at 2.6 GHz (getrusage)",
  },
  guestFrames: ({ jobs, imagePages, headerPages, heapPages }) =>
    footprintFrames({
      pages: 2 * imagePages + headerPages + heapPages + (jobs + 1) * sourcePages + 2 * makePages,
      processes: 2,
    }),
  guestOptions: switches,

  run(guest, params, prng) {
    guest.exec(makePages);
    writeEach(guest, imageDataVpn(guest, makePages), Math.floor(makePages / 2));
    guest.measure();
    const make = 1 as Pid;
    for (let job = 0; job < params.jobs; job++) {
      const child = guest.fork();
      guest.switchTo(child);
      compileOne(guest, job, params, prng);
      guest.exit(make);
    }
  },
};
