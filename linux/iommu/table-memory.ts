/**
 * Memory as the IOMMU driver uses it: pages for tables and rings, stores and loads of 8 bytes, the cost of keeping a
 * walker that does not snoop up to date.
 */
import type { QueueMemory } from "../../machine/iommu/queue-memory.ts";

export interface TableMemory extends QueueMemory {
  /** A page of zeros. */
  allocateFrame(): number;
  freeFrame(frame: number): void;
}
