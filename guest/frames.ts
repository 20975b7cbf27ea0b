/**
 * The kernel's frame allocator: single frames and 2 MiB blocks, with reference counts.
 *
 * A frame is shared by copy-on-write, by the page cache and by several mappings, so it is freed when its
 * last reference goes. Single frames come out of blocks that are already broken, the last freed first,
 * and a block whose frames are all free is whole again: what a buddy allocator achieves, with two orders.
 * On several nodes programs' pages and the kernel's own break blocks of their own, as Linux's movable and unmovable page
 * blocks are apart.
 * The seed decides in which order fresh blocks are broken; everything else follows from the calls.
 *
 * Model: on one node tables and programs' pages come out of the same blocks. Bias: for shadow, by at most 2 % of cycles,
 * since nested entries of tables that lie among data share fewer lines.
 *
 * Source: Linux mm/page_alloc.c (`rmqueue_fallback`, `pageblock_order`); GFP_PGTABLE_USER is not movable.
 */
import type { Gfn } from "../machine/address.ts";
import { assert } from "../machine/assert.ts";
import { partOf } from "../machine/nodes.ts";
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
  /** Nodes that the kernel is told of, each an equal part of the frames; absent: one. */
  readonly nodes?: number;
}

/** Whose a frame is to be. */
export type FrameOwner = "program" | "kernel";

function shuffle(blocks: number[], prng: Prng): void {
  for (let i = blocks.length - 1; i > 0; i--) {
    const j = prng.below(i + 1);
    const swapped = blocks[i]!;
    blocks[i] = blocks[j]!;
    blocks[j] = swapped;
  }
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
  /** The first of them, by node and owner. */
  private readonly broken: number[];
  /** By block, while it is broken: 1, if it is the kernel's. */
  private readonly owner: Uint8Array;
  private readonly whole: readonly number[][];
  private readonly frames: number;
  private readonly nodes: number;
  private freeFrames = 0;

  constructor({ first, frames, nodes = 1 }: FrameRange, seed: number) {
    const blocks = Math.ceil(frames / blockFrames);
    this.frames = frames;
    this.nodes = nodes;
    this.broken = Array.from({ length: 2 * nodes }, () => none);
    this.owner = new Uint8Array(blocks);
    this.whole = Array.from({ length: nodes }, () => []);
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
      if (to - from === blockFrames) this.whole[this.nodeOfBlock(block)]!.push(block);
      else this.breakBlock(block, from, to);
    }
    const prng = new Prng(seed);
    for (const whole of this.whole) shuffle(whole, prng);
  }

  /** Frames that nobody holds. */
  get free(): number {
    return this.freeFrames;
  }

  /** The node that the frame is on, as far as the kernel is told of any. */
  nodeOf(frame: number): number {
    return this.nodeOfBlock(Math.floor(frame / blockFrames));
  }

  /**
   * One frame, with one reference, on that node or where there is one. Its content is whatever its last owner left. Node 0
   * is where the program runs.
   */
  take(node = 0, owner: FrameOwner = "program"): Gfn {
    const block = this.brokenBlock(node, this.nodes > 1 && owner === "kernel" ? 1 : 0);
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
    const block = this.whole.find((blocks) => blocks.length > 0)?.pop();
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
      this.whole[this.nodeOfBlock(block)]!.push(block);
    }
  }

  private listOf(block: number): number {
    return 2 * this.nodeOfBlock(block) + this.owner[block]!;
  }

  private nodeOfBlock(block: number): number {
    return this.nodes === 1 ? 0 : partOf(block, this.head.length, this.nodes);
  }

  /** A block with a free frame: of the owner's, else a fresh one, else the other owner's, else on the next node. */
  private brokenBlock(node: number, owner: 0 | 1): number {
    for (let i = 0; i < this.nodes; i++) {
      const at = (node + i) % this.nodes;
      const own = this.broken[2 * at + owner]!;
      if (own !== none) return own;
      const block = this.whole[at]!.pop();
      if (block === undefined) {
        const other = this.broken[2 * at + 1 - owner]!;
        if (other !== none) return other;
        continue;
      }
      this.owner[block] = owner;
      this.breakBlock(block, block * blockFrames, (block + 1) * blockFrames);
      return block;
    }
    throw new OutOfFrames(this.frames);
  }

  private breakBlock(block: number, from: number, to: number): void {
    for (let frame = from; frame < to; frame++) this.next[frame] = frame + 1;
    this.next[to - 1] = none;
    this.head[block] = from;
    this.freeInBlock[block] = to - from;
    this.link(block);
  }

  private link(block: number): void {
    const list = this.listOf(block);
    const first = this.broken[list]!;
    this.before[block] = none;
    this.after[block] = first;
    if (first !== none) this.before[first] = block;
    this.broken[list] = block;
  }

  private unlink(block: number): void {
    const before = this.before[block]!;
    const after = this.after[block]!;
    if (before === none) this.broken[this.listOf(block)] = after;
    else this.after[before] = after;
    if (after !== none) this.before[after] = before;
  }
}
