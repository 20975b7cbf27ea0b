/**
 * An accelerator that reads a large region over and over, a page at a time, mapped once.
 *
 * Shape: no mapping after the start; the region against the reach of the IOTLB decides, and the size of the leaves.
 *
 * Source: Farshin 2023 (Overcoming the IOTLB wall, PeerJ CS): huge pages lift what misses take.
 */
import type { DeviceProgram } from "./device-program.ts";

type StreamParams = {
  /** The region, in 4 KiB pages. */
  readonly pages: number;
  /** Page reads. */
  readonly reads: number;
  /** 2m: the region lies in pages of 2 MiB; 4k: in scattered small ones. */
  readonly pageSize: string;
  /** Share of reads that jump elsewhere. */
  readonly jumpPercent: number;
};

export const streamReader: DeviceProgram<StreamParams> = {
  title: "Accelerator, reads a large region",
  summary: "One mapping, far larger than the IOTLB: misses and walk lengths.",
  defaults: { pages: 8192, reads: 100_000, pageSize: "4k", jumpPercent: 10 },
  bufferPages: ({ pages }) => 2 * pages + 512,

  run(io, { pages, reads, pageSize, jumpPercent }, prng) {
    const region = io.buffer(pages, pageSize === "2m" ? "contiguous" : "scattered");
    const handle = io.map(region, "to-device");
    io.measure();
    let at = 0;
    for (let done = 0; done < reads;) {
      if (prng.chance(jumpPercent)) at = prng.below(pages);
      const run = Math.min(8, reads - done, pages - at);
      io.read(handle, at, run);
      at = (at + run) % pages;
      done += run;
      io.pass(1);
    }
    io.unmap(handle);
  },
};
