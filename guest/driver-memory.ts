/**
 * Memory as a driver in the guest's kernel has it: frames from the kernel's allocator, loads and stores through its direct map.
 *
 * Only within `OperatingSystem.inKernel`, where the processor is in supervisor mode on the kernel's tables.
 */
import type { Gfn } from "../machine/address.ts";
import { assert } from "../machine/assert.ts";
import type { Vcpu } from "../machine/vcpu.ts";
import type { DirectMap } from "./direct-map.ts";
import type { FrameAllocator } from "./frames.ts";

const blockFrames = 512;

export class DriverMemory {
  private readonly vcpu: Vcpu;
  private readonly map: DirectMap;
  private readonly frames: FrameAllocator;
  /** The rest of a block that rows are taken from. */
  private row = { next: 0, left: 0 };

  constructor(vcpu: Vcpu, map: DirectMap, frames: FrameAllocator) {
    this.vcpu = vcpu;
    this.map = map;
    this.frames = frames;
  }

  /** A frame of zeros. */
  takeZeroed(): Gfn {
    const gfn = this.frames.take();
    this.map.zero(gfn);
    return gfn;
  }

  /** A frame with whatever its last owner left. */
  take(): Gfn {
    return this.frames.take();
  }

  release(gfn: number): void {
    this.frames.release(gfn);
  }

  /** The first of so many frames one after another, for good: 512 of them at most, which are aligned. */
  takeRow(pages: number): Gfn {
    assert(pages <= blockFrames, () => `driver: ${pages} frames in a row are more than a block`);
    if (this.row.left < pages) {
      const block = this.frames.takeBlock();
      assert(block !== null, "driver: the guest has no 2 MiB of memory in one piece left");
      this.row = { next: block, left: blockFrames };
    }
    const { next, left } = this.row;
    this.row = { next: next + pages, left: left - pages };
    return next as Gfn;
  }

  /** An instruction's 8 bytes: done when this returns. */
  store(gfn: number, index: number, low: number, high: number): void {
    this.vcpu.store(this.map.page(gfn as Gfn), index, low, high);
  }

  copy(to: number, from: number): void {
    this.map.copy(to as Gfn, from as Gfn);
  }

  /** The driver looks at data that a device has brought. */
  read(gfn: number): void {
    this.vcpu.read(this.map.page(gfn as Gfn));
  }

  /** The driver puts data there, for a device. */
  write(gfn: number): void {
    this.vcpu.write(this.map.page(gfn as Gfn));
  }
}
