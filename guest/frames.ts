/**
 * The kernel's frame allocator: single frames and 2 MiB blocks, with reference counts.
 *
 * A frame is shared by copy-on-write, by the page cache and by several mappings, so it is freed when its
 * last reference goes. Single frames come out of blocks that are already broken, the last freed first,
 * and a block whose frames are all free is whole again: what a buddy allocator achieves, with two orders.
 * The seed decides in which order fresh blocks are broken; everything else follows from the calls.
 */
import type { Gfn } from "../machine/address.ts";
import { assert } from "../machine/assert.ts";
import { Prng } from "./prng.ts";

const blockFrames = 512;
const none = -1;

/** The guest has no frame left: the point's memory is too small for the workload. */
export class OutOfFrames extends Error {
  constructor(frames: number) {
    super(`guest memory: all ${frames} frames of 4 KiB are used; give this guest more memory`);
  }
}

export interface FrameRange {
  /** First frame that is not the boot image's. */
  readonly first: number;
  /** All frames of the guest, the boot image's included. */
  readonly frames: number;
}

export class FrameAllocator {
  private readonly references: Int32Array;
  /** Next free frame of the same broken block. */
  private readonly next: Int32Array;
  private readonly head: Int32Array;
  private readonly freeInBlock: Int16Array;
  /** Broken blocks with free frames: a doubly linked list. */
  private readonly before: Int32Array;
  private readonly after: Int32Array;
  private broken = none;
  private readonly whole: number[] = [];
  private readonly frames: number;
  private freeFrames = 0;

  constructor({ first, frames }: FrameRange, seed: number) {
    const blocks = Math.ceil(frames / blockFrames);
    this.frames = frames;
    this.references = new Int32Array(frames);
    this.next = new Int32Array(frames);
    this.head = new Int32Array(blocks).fill(none);
    this.freeInBlock = new Int16Array(blocks);
    this.before = new Int32Array(blocks);
    this.after = new Int32Array(blocks);
    // A block that the boot image or the end of memory cuts can never be whole.
    for (let block = blocks - 1; block >= 0; block--) {
      const from = Math.max(first, block * blockFrames);
      const to = Math.min(frames, (block + 1) * blockFrames);
      if (to <= from) continue;
      this.freeFrames += to - from;
      if (to - from === blockFrames) this.whole.push(block);
      else this.breakBlock(block, from, to);
    }
    const prng = new Prng(seed);
    for (let i = this.whole.length - 1; i > 0; i--) {
      const j = prng.below(i + 1);
      const swapped = this.whole[i]!;
      this.whole[i] = this.whole[j]!;
      this.whole[j] = swapped;
    }
  }

  /** Frames that nobody holds. */
  get free(): number {
    return this.freeFrames;
  }

  /** One frame, with one reference. Its content is whatever its last owner left. */
  take(): Gfn {
    if (this.broken === none) {
      const block = this.whole.pop();
      if (block === undefined) throw new OutOfFrames(this.frames);
      this.breakBlock(block, block * blockFrames, (block + 1) * blockFrames);
    }
    const block = this.broken;
    const frame = this.head[block]!;
    this.head[block] = this.next[frame]!;
    this.freeInBlock[block]! -= 1;
    if (this.freeInBlock[block] === 0) this.unlink(block);
    this.freeFrames -= 1;
    this.references[frame] = 1;
    return frame as Gfn;
  }

  /** The first of 512 aligned frames with one reference each, or null when no block is whole. */
  takeBlock(): Gfn | null {
    const block = this.whole.pop();
    if (block === undefined) return null;
    const first = block * blockFrames;
    this.references.fill(1, first, first + blockFrames);
    this.freeFrames -= blockFrames;
    return first as Gfn;
  }

  share(frame: number): void {
    assert(this.references[frame]! > 0, () => `frames: gfn ${frame} is shared but nobody holds it`);
    this.references[frame]! += 1;
  }

  isExclusive(frame: number): boolean {
    return this.references[frame] === 1;
  }

  /** Gives one reference back; the last one frees the frame. */
  release(frame: number): void {
    assert(
      this.references[frame]! > 0,
      () => `frames: gfn ${frame} is released but nobody holds it`,
    );
    this.references[frame]! -= 1;
    if (this.references[frame] !== 0) return;
    const block = Math.floor(frame / blockFrames);
    this.next[frame] = this.head[block]!;
    this.head[block] = frame;
    this.freeInBlock[block]! += 1;
    this.freeFrames += 1;
    if (this.freeInBlock[block] === 1) this.link(block);
    if (this.freeInBlock[block] === blockFrames) {
      this.unlink(block);
      this.freeInBlock[block] = 0;
      this.head[block] = none;
      this.whole.push(block);
    }
  }

  private breakBlock(block: number, from: number, to: number): void {
    for (let frame = from; frame < to; frame++) this.next[frame] = frame + 1;
    this.next[to - 1] = none;
    this.head[block] = from;
    this.freeInBlock[block] = to - from;
    this.link(block);
  }

  private link(block: number): void {
    this.before[block] = none;
    this.after[block] = this.broken;
    if (this.broken !== none) this.before[this.broken] = block;
    this.broken = block;
  }

  private unlink(block: number): void {
    const before = this.before[block]!;
    const after = this.after[block]!;
    if (before === none) this.broken = after;
    else this.after[before] = after;
    if (after !== none) this.before[after] = before;
  }
}
