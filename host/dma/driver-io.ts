/**
 * A driver and its device on a machine: what a device program calls, done by a scheme's DMA API and the host's IOMMU.
 */
import type { DmaOracle } from "../../check/dma/oracle.ts";
import type { Prng } from "../../guest/prng.ts";
import type { FrameRun } from "../../linux/iommu/core.ts";
import type { DmaApi, DmaSegment } from "../../linux/iommu/dma.ts";
import type { DmaRights } from "../../linux/iommu/entry-formats.ts";
import type { DmaDevice, DmaKind } from "../../machine/iommu/iommu.ts";
import type { DmaMachine } from "../../viommu/dma-machine.ts";
import type {
  DeviceIo,
  DmaBuffer,
  DmaDirection,
  DmaHandle,
} from "../../workloads/devices/device-program.ts";

const rightsOf: Readonly<Record<DmaDirection, DmaRights>> = {
  "to-device": "read",
  "from-device": "write",
  both: "read-write",
};

interface Handle extends DmaHandle {
  readonly segments: readonly DmaSegment[];
}

export interface DriverIoOptions {
  readonly machine: DmaMachine;
  readonly api: DmaApi;
  readonly device: DmaDevice;
  /** Draws where scattered pages lie. */
  readonly prng: Prng;
  /** Checks each access; null: accesses go in bursts. */
  readonly oracle: DmaOracle | null;
  readonly onMeasure: () => void;
  /** After each mapping, unmapping and access. */
  readonly onAct: () => void;
}

export class DriverIo implements DeviceIo {
  /** Calls of map, and of unmap; what was mapped, in pages. */
  maps = 0;
  unmaps = 0;
  pagesMapped = 0;
  private readonly options: DriverIoOptions;
  private readonly runs = new Map<DmaBuffer, readonly FrameRun[]>();
  private readonly handles = new Map<DmaHandle, Handle>();
  /** Frames that scattered buffers are made of, in disorder. */
  private scattered: number[] = [];

  constructor(options: DriverIoOptions) {
    this.options = options;
  }

  buffer(pages: number, layout: "contiguous" | "scattered"): DmaBuffer {
    const buffer = { pages };
    const { machine } = this.options;
    const runs =
      layout === "contiguous"
        ? [machine.takeBuffers(pages)]
        : Array.from({ length: pages }, () => ({ frame: this.anyFrame(), pages: 1 }));
    this.runs.set(buffer, runs);
    return buffer;
  }

  private anyFrame(): number {
    const { machine, prng } = this.options;
    if (this.scattered.length < 64) {
      const { frame, pages } = machine.takeBuffers(128);
      // Every other one, so that no two follow each other.
      for (let i = 0; i < pages; i += 2) this.scattered.push(frame + i);
    }
    const [frame] = this.scattered.splice(prng.below(this.scattered.length), 1);
    return frame ?? machine.takeBuffers(1).frame;
  }

  map(buffer: DmaBuffer, direction: DmaDirection): DmaHandle {
    this.maps += 1;
    this.pagesMapped += buffer.pages;
    const segments = this.options.api.map(this.runs.get(buffer) ?? [], rightsOf[direction]);
    const handle = { pages: buffer.pages, segments };
    this.handles.set(handle, handle);
    this.options.onAct();
    return handle;
  }

  unmap(handle: DmaHandle): void {
    this.unmaps += 1;
    this.options.api.unmap(this.segmentsOf(handle));
    this.handles.delete(handle);
    this.options.onAct();
  }

  read(handle: DmaHandle, from: number, pages: number): void {
    this.access("read", handle, { from, pages });
  }

  write(handle: DmaHandle, from: number, pages: number): void {
    this.access("write", handle, { from, pages });
  }

  pass(microseconds: number): void {
    this.options.machine.clock.advance(microseconds);
  }

  measure(): void {
    this.options.onMeasure();
  }

  private segmentsOf(handle: DmaHandle): readonly DmaSegment[] {
    const known = this.handles.get(handle);
    if (known === undefined) throw new Error("bug: device program: this handle is not mapped");
    return known.segments;
  }

  private access(
    kind: DmaKind,
    handle: DmaHandle,
    { from, pages }: { readonly from: number; readonly pages: number },
  ): void {
    const { machine, device, oracle } = this.options;
    const list = ioPages(this.segmentsOf(handle), from, pages);
    if (oracle === null) machine.burst(device, kind, list);
    else {
      for (const page of list) {
        const pfn = machine.access(device, page, kind);
        oracle.accessed(device.requestor.source, page, kind, pfn);
      }
    }
    this.options.onAct();
  }
}

/** IO pages of [from, from + pages) of a mapping. */
function ioPages(segments: readonly DmaSegment[], from: number, pages: number): number[] {
  const list: number[] = [];
  let first = 0;
  for (const segment of segments) {
    const start = Math.max(from, first);
    const end = Math.min(from + pages, first + segment.pages);
    for (let i = start; i < end; i++) list.push(segment.page + i - first);
    first += segment.pages;
    if (first >= from + pages) break;
  }
  return list;
}
