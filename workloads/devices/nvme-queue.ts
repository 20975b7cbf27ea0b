/**
 * A disk with a queue pair: requests of scattered pages are mapped, moved, unmapped, many at once in flight.
 *
 * Shape: mappings of a few to 32 pages from a page cache, none of which follow each other: what a call per page costs against
 * a call per range.
 *
 * Source: NVM Express base specification, queue pairs; Linux drivers/nvme/host/pci.c maps a request by `dma_map_sgtable`.
 */
import type { DeviceProgram, DmaBuffer, DmaHandle } from "./device-program.ts";

type NvmeParams = {
  /** Requests in flight. */
  readonly depth: number;
  readonly requests: number;
  /** Pages of the largest request. */
  readonly pagesMax: number;
  readonly readPercent: number;
};

/** Microseconds per request with many in flight (assumed: 500 000 a second). */
const microsecondsPerRequest = 2;

interface InFlight {
  readonly buffer: DmaBuffer;
  readonly handle: DmaHandle;
  readonly isRead: boolean;
}

export const nvmeQueue: DeviceProgram<NvmeParams> = {
  title: "Disk queue pair, scattered pages",
  summary: "Mappings of up to 32 pages that do not follow each other in memory.",
  defaults: { depth: 32, requests: 4000, pagesMax: 32, readPercent: 70 },
  bufferPages: ({ depth, pagesMax }) => 4 * depth * pagesMax + 64,

  run(io, { depth, requests, pagesMax, readPercent }, prng) {
    const queues = io.map(io.buffer(2, "contiguous"), "both");
    const cache = Array.from({ length: 2 * depth }, () =>
      io.buffer(1 + prng.below(pagesMax), "scattered"),
    );
    const flying: InFlight[] = [];
    io.measure();
    for (let request = 0; request < requests; request++) {
      const index = prng.below(cache.length);
      const [buffer] = cache.splice(index, 1);
      if (buffer === undefined) throw new Error("bug: nvme-queue: no buffer left");
      const isRead = prng.chance(readPercent);
      const handle = io.map(buffer, isRead ? "from-device" : "to-device");
      flying.push({ buffer, handle, isRead });
      io.read(queues, 0, 1);
      if (flying.length === depth) complete(flying.shift());
      io.pass(microsecondsPerRequest);
    }
    for (const one of flying) complete(one);

    function complete(one: InFlight | undefined): void {
      if (one === undefined) return;
      const { handle, buffer, isRead } = one;
      if (isRead) io.write(handle, 0, handle.pages);
      else io.read(handle, 0, handle.pages);
      io.write(queues, 1, 1);
      io.unmap(handle);
      cache.push(buffer);
    }
  },
};
