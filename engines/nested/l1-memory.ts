/**
 * L1's memory as L1 uses it: frames that are guest frames of L0's, stored into by instructions of a guest.
 *
 * A store goes through L1's direct map on L1's vCPU, so it exits where L0 write-protects the frame, as any guest's would.
 * Frames below `guestFrames` back L2, those above hold L1's tables; L1's own allocator gives them out.
 *
 * Model: L1's loads of its memory take no exit, as on a host that backs what L1 ever wrote. Bias: both, which
 * are spared L0's faults on first loads.
 */
import type { Gfn, Pfn, Vpn } from "../../machine/address.ts";
import { highHalf, lowHalf } from "../../machine/formats/x86-entry.ts";
import { FrameUse } from "../../machine/frame-use.ts";
import type { FrameContents } from "../../machine/memory.ts";
import type { Vcpu } from "../../machine/vcpu.ts";
import type { HostMemory } from "../../hypervisor/memory/host-memory.ts";
import type { FrameMemory } from "../../hypervisor/platform.ts";

export interface L1MemoryParts {
  /** L0's view of L1's memory. */
  readonly outer: HostMemory;
  /** All bytes there are. */
  readonly bytes: FrameMemory;
  /** Frames of L2's, and of L1 in all. */
  readonly guestFrames: number;
  readonly frames: number;
  /** The vCPU that L1 runs on now. */
  readonly running: () => Vcpu;
  /** Page of L1's direct map that shows the frame. */
  readonly direct: (frame: Pfn) => Vpn;
}

export class L1Memory implements FrameMemory {
  readonly words: Int32Array;
  readonly guestFrames: number;
  private readonly parts: L1MemoryParts;
  private readonly use: FrameUse;

  constructor(parts: L1MemoryParts) {
    const { guestFrames, frames, bytes } = parts;
    this.parts = parts;
    this.words = bytes.words;
    this.guestFrames = guestFrames;
    this.use = new FrameUse({ guestFrames, frames, nodes: 1 });
  }

  get tableBytesPeak(): number {
    return this.use.tablesPeak * 4096;
  }

  /** L1 is told of no nodes. */
  nodeOf(): number {
    return 0;
  }

  wordsOf(pfn: Pfn): number {
    return this.parts.outer.wordsOf(l1Frame(pfn));
  }

  readLow(pfn: Pfn, index: number): number {
    return this.parts.outer.readLow(l1Frame(pfn), index);
  }

  readHigh(pfn: Pfn, index: number): number {
    return this.parts.outer.readHigh(l1Frame(pfn), index);
  }

  write(pfn: Pfn, index: number, low: number, high: number): void {
    const { running, direct } = this.parts;
    running().store(direct(pfn), index, low, high);
  }

  writeEntry(pfn: Pfn, index: number, frame: number, flags: number, nx = 0): void {
    this.write(pfn, index, lowHalf(frame, flags), highHalf(frame, nx));
  }

  setLow(pfn: Pfn, index: number, low: number): void {
    this.write(pfn, index, low, this.readHigh(pfn, index));
  }

  zero(pfn: Pfn): void {
    const { running, direct } = this.parts;
    running().zeroPage(direct(pfn));
  }

  copy(to: Pfn, from: Pfn): void {
    const { running, direct } = this.parts;
    running().copyPage(direct(to), direct(from));
  }

  /** What a device brings: L1 clears the page, then the device stores. */
  fill(pfn: Pfn, contents: FrameContents): void {
    this.zero(pfn);
    this.parts.bytes.fill(this.hostFrame(pfn), contents);
  }

  contentsOf(pfn: Pfn): FrameContents {
    return this.parts.bytes.contentsOf(this.hostFrame(pfn));
  }

  vacate(pfn: Pfn): FrameContents {
    return this.parts.bytes.vacate(this.hostFrame(pfn));
  }

  hasBytes(pfn: Pfn): boolean {
    return this.parts.bytes.hasBytes(this.hostFrame(pfn));
  }

  hasSameBytes(one: Pfn, other: Pfn): boolean {
    return this.parts.bytes.hasSameBytes(this.hostFrame(one), this.hostFrame(other));
  }

  stampOf(pfn: Pfn): number {
    return this.parts.bytes.stampOf(this.hostFrame(pfn));
  }

  allocateTable(): Pfn {
    const pfn = this.use.takeTable(0);
    this.zero(pfn);
    return pfn;
  }

  allocateTables(frames: number): Pfn | null {
    const first = this.use.takeTables(frames);
    for (let i = 0; first !== null && i < frames; i++) this.zero((first + i) as Pfn);
    return first;
  }

  allocateSpare(): Pfn {
    const pfn = this.use.takeSpare();
    this.zero(pfn);
    return pfn;
  }

  reserve(frames: number, align: number): Pfn {
    return this.use.takeRow(frames, align);
  }

  freeTable(pfn: Pfn): void {
    this.use.freeTable(pfn);
  }

  isShared(pfn: Pfn): boolean {
    return this.use.isShared(pfn);
  }

  share(pfn: Pfn): void {
    this.use.share(pfn);
  }

  release(pfn: Pfn): void {
    this.use.release(pfn);
  }

  /** Where the frame lies in the host's memory. */
  private hostFrame(pfn: Pfn): Pfn {
    return this.parts.outer.touch(l1Frame(pfn));
  }
}

/** What L1 calls a host frame is a guest frame to L0. */
export function l1Frame(pfn: Pfn): Gfn {
  return pfn as number as Gfn;
}
