/**
 * Linux's driver of virtio-iommu: no tables in the guest, requests in a ring and a kick.
 *
 * Since 6.12 requests of one call ride on one kick, and what is unmapped lazily waits for the next one.
 *
 *     entry 0: type (1 map, 2 unmap) | endpoint << 16, rights     entry 2: frame
 *     entry 1: first IO page                                      entry 3: pages
 *
 * Model: a request names first page and number of pages where the specification has first and last address. Bias: none.
 *
 * Source: Linux 6.12 drivers/iommu/virtio-iommu.c `viommu_map_pages`, `viommu_unmap_pages`, `viommu_iotlb_sync_map`; virtio
 * 1.2 section 5.13 "IOMMU device".
 */
import { assert } from "../../machine/assert.ts";
import type { Gather, IommuDomain } from "./core.ts";
import type { DmaRights } from "./entry-formats.ts";
import type { DmaMapping } from "./io-table.ts";
import type { QueueMemory } from "../../machine/iommu/queue-memory.ts";
import type { TableMemory } from "./table-memory.ts";

const MAP = 1;
const UNMAP = 2;
const entriesEach = 4;
/** Requests in a ring of one page. */
const ringLength = 128;
const rightsNames: readonly DmaRights[] = ["read", "write", "read-write"];

export type VirtioRequest = {
  readonly endpoint: number;
  readonly page: number;
  readonly pages: number;
} & (
  | { readonly kind: "map"; readonly frame: number; readonly rights: DmaRights }
  | { readonly kind: "unmap" }
);

/** The ring's other end: requests up to `tail` are there. */
export type Kick = (tail: number) => void;

export class VirtioIommu {
  readonly ring: number;
  kicks = 0;
  requests = 0;
  private readonly memory: TableMemory;
  private readonly kickDevice: Kick;
  private tail = 0;
  private waiting = 0;

  constructor(memory: TableMemory, kickDevice: Kick) {
    this.memory = memory;
    this.ring = memory.allocateFrame();
    this.kickDevice = kickDevice;
  }

  add(request: VirtioRequest): void {
    // A full ring goes at once.
    if (this.waiting === ringLength - 1) this.kick();
    const { memory, ring, tail } = this;
    const at = entriesEach * tail;
    const type = request.kind === "map" ? MAP : UNMAP;
    const rights = request.kind === "map" ? rightsNames.indexOf(request.rights) : 0;
    memory.write(ring, at, type | (request.endpoint << 16), rights);
    memory.write(ring, at + 1, request.page, 0);
    memory.write(ring, at + 2, request.kind === "map" ? request.frame : 0, 0);
    memory.write(ring, at + 3, request.pages, 0);
    this.tail = (tail + 1) % ringLength;
    this.waiting += 1;
    this.requests += 1;
  }

  /** What waits is done when this returns. Nothing waits: no kick. */
  kick(): void {
    if (this.waiting === 0) return;
    this.kicks += 1;
    this.waiting = 0;
    this.kickDevice(this.tail);
  }
}

/** The requests of a ring in [head, tail), as the device reads them. */
export function readRequests(
  memory: QueueMemory,
  ring: number,
  { head, tail }: { readonly head: number; readonly tail: number },
): VirtioRequest[] {
  const found: VirtioRequest[] = [];
  for (let i = head; i !== tail; i = (i + 1) % ringLength) {
    const at = entriesEach * i;
    const first = memory.readLow(ring, at);
    const range = {
      endpoint: first >>> 16,
      page: memory.readLow(ring, at + 1),
      pages: memory.readLow(ring, at + 3),
    };
    const rights = rightsNames[memory.readHigh(ring, at)];
    assert(rights !== undefined, "virtio-iommu: a request has no rights that we know");
    const frame = memory.readLow(ring, at + 2);
    found.push(
      (first & 0xffff) === MAP
        ? { ...range, kind: "map", frame, rights }
        : { ...range, kind: "unmap" },
    );
  }
  return found;
}

/** Every power of two is a page size. */
const allSizes = Array.from({ length: 20 }, (_, order) => 2 ** order);

export class VirtioDomain implements IommuDomain {
  readonly sizes = allSizes;
  private readonly iommu: VirtioIommu;
  private readonly endpoint: number;

  constructor(iommu: VirtioIommu, endpoint: number) {
    this.iommu = iommu;
    this.endpoint = endpoint;
  }

  map({ page, frame, pages, rights }: DmaMapping): void {
    this.iommu.add({ kind: "map", endpoint: this.endpoint, page, frame, pages, rights });
  }

  syncMap(): void {
    this.iommu.kick();
  }

  unmap(page: number, pages: number, gather: Gather): number {
    gather.mark();
    this.iommu.add({ kind: "unmap", endpoint: this.endpoint, page, pages });
    return pages;
  }

  sync(): void {
    this.iommu.kick();
  }

  flushAll(): void {
    this.iommu.kick();
  }

  release(): void {
    // There are no tables.
  }

  translate(): null {
    // The mappings are the device's.
    return null;
  }
}
