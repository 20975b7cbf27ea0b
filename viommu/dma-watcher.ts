/** Who looks on while a machine works: told before each thing that it names. */
import type { Invalidation } from "../machine/iommu/descriptors.ts";
import type { MappedRange } from "./mapped-ranges.ts";

export interface DmaWatcher {
  /** The guest's kernel stores 8 bytes into an IO table, a ring or a queue, by guest frame. */
  guestStores(frame: number, index: number, low: number, high: number): void;
  /** The host's kernel stores 8 bytes into an IO table or its queue, by frame. */
  hostStores(frame: number, index: number, low: number, high: number): void;
  /** User space maps a range for a device, or takes it back. */
  hostMaps(range: MappedRange): void;
  hostUnmaps(page: number, pages: number): void;
  /** Silicon forgets what it is told to. */
  forgets(what: Invalidation): void;
}
