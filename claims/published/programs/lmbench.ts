/**
 * The process and memory tests of LMbench, as far as a guest program here can say them.
 *
 * Sizes are those of a small C program with its library. KPTI is on, as in the published runs.
 *
 * Source: lmbench lat_proc, lat_pagefault, lat_mmap, lat_sig (McVoy and Staelin, USENIX 1996).
 */
import type { Vpn } from "../../../machine/address.ts";
import { type Guest, imageDataVpn, type Pid } from "../../../guest/guest.ts";
import { footprintFrames } from "../../../guest/footprint.ts";
import type { Workload } from "../../../workloads/workload.ts";

/** Of the processor that PVM's paper ran them on, a Xeon 8269CY. */
export const cyclesPerMicrosecond = 2500;

/** Pages of a small program with its C library, and how many of each half it touches. */
export const smallProgram = 256;
const touched = 48;
const kpti = { kpti: true, pcid: true } as const;
const computeCycles = { perOp: 100, source: "assumed: loop around one operation" };
const parent = 1 as Pid;

function startProgram(guest: Guest): void {
  guest.exec(smallProgram);
  for (let page = 0; page < touched; page++) {
    guest.fetch((guest.image + page) as Vpn);
    guest.write((imageDataVpn(guest, smallProgram) + page) as Vpn);
  }
}

/** exec: fork, the child becomes `hello`. sh: the child is a shell, which forks and execs `hello`. */
function launch(title: string, shells: number): Workload<{ readonly launches: number }> {
  const launchOnce = (guest: Guest, mother: Pid, depth: number): void => {
    const child = guest.fork();
    guest.switchTo(child);
    startProgram(guest);
    if (depth > 0) launchOnce(guest, child, depth - 1);
    guest.exit(mother);
  };
  return {
    title,
    summary: "lat_proc: fork, exec and exit in a loop.",
    defaults: { launches: 40 },
    computeCycles,
    guestFrames: () => footprintFrames({ pages: 4 * smallProgram, processes: 4 }),
    guestOptions: () => kpti,
    run(guest, { launches }) {
      startProgram(guest);
      launchOnce(guest, parent, shells);
      guest.measure();
      for (let i = 0; i < launches; i++) launchOnce(guest, parent, shells);
      guest.compute(launches);
    },
  };
}

export const execProcess = launch("lmbench exec proc", 0);
export const shellProcess = launch("lmbench sh proc", 1);

export const filePageFaults: Workload<{ readonly rounds: number; readonly pages: number }> = {
  title: "lmbench page fault",
  summary: "lat_pagefault: reads of a mapped file, one fault a page.",
  defaults: { rounds: 8, pages: 1024 },
  computeCycles,
  guestFrames: ({ pages }) => footprintFrames({ pages: 2 * pages, processes: 1 }),
  guestOptions: () => kpti,
  run(guest, { rounds, pages }) {
    for (let round = 0; round <= rounds; round++) {
      const base = guest.map(pages, { fill: "demand", pages: "4k", writable: false, file: 1 });
      // The first round brings the file into the page cache.
      if (round === 1) guest.measure();
      for (let page = 0; page < pages; page++) guest.read((base + page) as Vpn);
      guest.compute(pages);
      guest.unmap(base, pages);
    }
  },
};

/** Stores to a page of a file that is mapped for reading, each with its signal; or the signals' returns alone. */
function protection(
  title: string,
  operation: (guest: Guest, page: Vpn) => void,
): Workload<{ readonly faults: number }> {
  return {
    title,
    summary:
      "lat_sig prot: a store to a page mapped read-only, whose handler returns to it; or a handler's return alone.",
    defaults: { faults: 400 },
    computeCycles,
    guestFrames: () => footprintFrames({ pages: 64, processes: 1 }),
    guestOptions: () => kpti,
    run(guest, { faults }) {
      const page = guest.map(1, {
        fill: "populate",
        pages: "4k",
        writable: false,
        file: 1,
        onForbidden: "skip",
      });
      guest.read(page);
      operation(guest, page);
      guest.measure();
      for (let i = 0; i < faults; i++) operation(guest, page);
      guest.compute(faults);
    },
  };
}

export const protectionFaults = protection("lmbench prot fault", (guest, page) => {
  guest.write(page);
});

/** What lat_sig takes off: a signal caught less a signal sent, which is the handler's return. */
export const signalReturns = protection("lmbench sig hndl", (guest, page) => {
  guest.syscall();
  guest.read(page);
});

/** Pages of one megabyte. */
const megabyte = 256;

export const pageTouch: Workload<{ readonly megabytes: number }> = {
  title: "PVM page touch",
  summary: "Allocate 1 MB, touch each page, free; again and again.",
  defaults: { megabytes: 48 },
  computeCycles,
  guestFrames: () => footprintFrames({ pages: 2 * megabyte, processes: 1 }),
  guestOptions: () => kpti,
  run(guest, { megabytes }) {
    for (let block = 0; block <= megabytes; block++) {
      // The first block finds frames that the host has never backed; over 4 GB that vanishes.
      if (block === 1) guest.measure();
      const base = guest.map(megabyte, { fill: "demand", pages: "4k", writable: true });
      for (let page = 0; page < megabyte; page++) guest.write((base + page) as Vpn);
      guest.compute(megabyte);
      guest.unmap(base, megabyte);
    }
  },
};
