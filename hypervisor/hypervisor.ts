/**
 * The contract of a hypervisor: what silicon asks of it, what the host does, the memory behind its guest.
 *
 * An engine sets control fields, owns its tables, and answers exits and host events.
 */
import type { Gfn, Pfn } from "../machine/address.ts";
import type { Isa } from "../machine/isa/isa.ts";
import type { ExitHandler } from "../machine/virtual-cpu.ts";
import type { HostEvent } from "./host-events.ts";

/** Guest-physical memory as the hypervisor reaches it: bytes, without any guest translation. */
export interface GuestMemory {
  /** The host frame behind `gfn`, allocated (with a host fault) on first touch. */
  touch(gfn: Gfn): Pfn;
  /** The same for a store, by the guest or by the hypervisor for it: a shared page gets a frame of its own first. */
  touchForWrite(gfn: Gfn): Pfn;
  /** Low half of entry `index` (0 to 511) of the frame; 0 where nothing was written. */
  readLow(gfn: Gfn, index: number): number;
  readHigh(gfn: Gfn, index: number): number;
  write(gfn: Gfn, index: number, low: number, high: number): void;
  /** Number of guest frames: gfn is valid below it. */
  readonly frames: number;
  /** Has the frame no memslot? Then there is nothing to map. */
  isHole(gfn: Gfn): boolean;
  /** Told of each frame that a touch has just brought back from where the host had put it (userfaultfd). */
  onReturn: ((gfn: Gfn) => void) | null;
}

/** A scheme is its reaction to what a guest and the host do. No optional methods. */
export interface Hypervisor extends ExitHandler {
  readonly memory: GuestMemory;
  /** Whose entries the guest's own tables have; absent: x86-64's. */
  readonly isa?: Isa;
  /** Returns the frames reported, for `dirty-log-get`; otherwise an empty list. */
  host(event: HostEvent): readonly Gfn[];
}
