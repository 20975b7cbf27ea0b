/**
 * A key-value server: zipf requests over a data set, network system calls, values replaced, clients between.
 *
 * Shape: TLB misses of the tail, system calls, a stream of small map and unmap, and context switches: no one
 * cost rules, so it shows how a scheme does on a mix.
 *
 * Source: request mix of YCSB workload B (95 % reads), Cooper et al., SoCC 2010.
 */
import type { Vpn } from "../machine/address.ts";
import type { Guest, Pid } from "../guest/guest.ts";
import { footprintFrames } from "../guest/footprint.ts";
import { type KernelSwitches, onDemand, type PageSize, switches } from "./options.ts";
import type { Workload } from "./workload.ts";
import { mappedPages, workingSet, writeEach } from "./working-set.ts";
import { zipfExponent, zipfSampler } from "./zipf-sampler.ts";

type KeyValueParams = KernelSwitches & {
  /** Data set, in 4 KiB pages; an index of one page in sixteen comes on top. */
  readonly pages: number;
  readonly requests: number;
  /** Share of requests that write, in percent. */
  readonly writePercent: number;
  /** Requests between two switches to a client process and back. */
  readonly requestsPerSwitch: number;
  /** Requests between two replacements of a slab (map, fill, unmap the old one). */
  readonly requestsPerSlab: number;
  readonly pageSize: PageSize;
};

const slabPages = 32;
const clientPages = 16;
/** Pages that one value spans: each is touched. */
const loadsPerValue = 4;

function indexPages(pages: number): number {
  return Math.ceil(pages / 16);
}

/** A client process with a few pages of its own; the server goes on running. */
function startClient(guest: Guest, buffers: Vpn, server: Pid): Pid {
  const client = guest.fork();
  guest.switchTo(client);
  writeEach(guest, buffers, clientPages);
  guest.switchTo(server);
  return client;
}

export const keyValue: Workload<KeyValueParams> = {
  title: "Key-value server",
  summary: "memcached-like: zipf gets and sets, network calls, slab churn, client switches.",
  defaults: {
    pages: 8192,
    requests: 4000,
    writePercent: 5,
    requestsPerSwitch: 8,
    requestsPerSlab: 64,
    pageSize: "4k",
    kpti: 0,
    pcid: 1,
    usedMemory: 1,
  },
  computeCycles: { perOp: 1000, source: "assumed: parsing, hashing and answering one request" },
  guestFrames: ({ pages, pageSize }) =>
    footprintFrames({
      pages:
        mappedPages(pages, pageSize) +
        mappedPages(indexPages(pages), pageSize) +
        3 * slabPages +
        3 * clientPages,
      processes: 3,
    }),
  guestOptions: switches,

  run(guest, params, prng) {
    const { pages, requests, writePercent, requestsPerSwitch, requestsPerSlab } = params;
    const draw = zipfSampler(pages, zipfExponent, prng);
    const buffers = guest.map(clientPages, onDemand("4k"));
    const server = 1 as Pid;
    // The client is forked while there is nothing to copy yet, as a separate program would be.
    const client = startClient(guest, buffers, server);
    writeEach(guest, buffers, clientPages);
    const data = workingSet(guest, pages, params.pageSize);
    const index = workingSet(guest, indexPages(pages), params.pageSize);
    let slab = guest.map(slabPages, onDemand("4k"));
    writeEach(guest, slab, slabPages);
    guest.measure();
    for (let i = 1; i <= requests; i++) {
      guest.syscall();
      guest.read((buffers + (i % clientPages)) as Vpn);
      const key = draw();
      guest.read((index + Math.floor(key / 16)) as Vpn, (key % 16) * 256);
      const vpn = (data + key) as Vpn;
      const isWrite = prng.chance(writePercent);
      for (let load = 0; load < loadsPerValue; load++) {
        if (isWrite) guest.write(vpn, load * 64);
        else guest.read(vpn, load * 64);
      }
      guest.write((slab + (i % slabPages)) as Vpn);
      guest.syscall();
      if (i % requestsPerSlab === 0) {
        const fresh = guest.map(slabPages, onDemand("4k"));
        writeEach(guest, fresh, slabPages);
        guest.unmap(slab, slabPages);
        slab = fresh;
      }
      if (i % requestsPerSwitch === 0) {
        guest.switchTo(client);
        writeEach(guest, buffers, clientPages);
        guest.switchTo(server);
      }
    }
    guest.compute(requests);
  },
};
