/**
 * Where a guest that drives devices lives: its pages in the host's memory, and what its processor does there.
 *
 * Alone (`homeAlone`), nobody else uses that memory, and stores go by the host's map of it. Beside a guest that runs programs,
 * they are instructions of its kernel (`host/beside`).
 */
import { assert } from "../machine/assert.ts";
import type { QueueMemory } from "../machine/iommu/queue-memory.ts";
import { PhysicalMemory } from "../machine/memory.ts";
import { identity, scatter } from "../machine/placement.ts";
import type { FrameRun } from "../linux/iommu/core.ts";
import { type GuestPages, HostPages } from "./host-pages.ts";

/** What the guest's kernel does in its memory, by guest frame. */
export interface GuestProcessor extends QueueMemory {
  /** A page of zeros. */
  allocateFrame(): number;
  freeFrame(frame: number): void;
  copyPage(to: number, from: number): void;
  /** Guest frames that follow each other, for good; from 512 pages on aligned to 2 MiB. */
  takeBuffers(pages: number): FrameRun;
}

export interface GuestHome {
  readonly memory: PhysicalMemory;
  readonly pages: GuestPages;
  readonly processor: GuestProcessor;
  /** Guest memory as what the hypervisor emulates reads and writes it. */
  readonly emulator: QueueMemory;
}

export interface AloneOptions {
  /** A power of two. */
  readonly guestFrames: number;
  /** No hypervisor: guest frames are the host's. */
  readonly isBare: boolean;
  /** Pages of the host behind guest memory. */
  readonly backing: "4k" | "2m";
  readonly seed: number;
}

/** Guest frames for the kernel's IO tables and rings; buffers come behind them. */
const kernelFrames = 1024;

/** Memory of its own; all that is in it is the driver's. */
export function homeAlone({ guestFrames, isBare, backing, seed }: AloneOptions): GuestHome {
  const spares = guestFrames;
  const memory = new PhysicalMemory({ guestFrames, tableFrames: 8192 + spares });
  const block = backing === "2m" ? 512 : 1;
  const pages = new HostPages(memory, isBare ? identity : scatter(guestFrames, block, seed));
  const bytes: QueueMemory = {
    readLow: (frame, index) => memory.readLow(pages.place(frame), index),
    readHigh: (frame, index) => memory.readHigh(pages.place(frame), index),
    write: (frame, index, low, high) => memory.write(pages.place(frame), index, low, high),
  };
  const free: number[] = [];
  let next = 1;
  let nextBuffer = kernelFrames;
  return {
    memory,
    pages,
    emulator: bytes,
    processor: {
      ...bytes,
      allocateFrame() {
        const frame = free.pop() ?? next++;
        assert(frame < kernelFrames, "guest kernel: no frame left for IO tables");
        memory.zero(pages.place(frame));
        return frame;
      },
      freeFrame: (frame) => free.push(frame),
      copyPage: (to, from) => memory.copy(pages.place(to), pages.place(from)),
      takeBuffers(count) {
        const align = count >= 512 ? 512 : 1;
        const frame = Math.ceil(nextBuffer / align) * align;
        assert(frame + count <= pages.frames, "guest: no memory left for buffers");
        nextBuffer = frame + count;
        return { frame, pages: count };
      },
    },
  };
}
