/**
 * Which frames of a physical memory are in use and by how many, and which slots have bytes: all that a memory knows
 * beside its arena. Power-on makes a new one, so nothing of an earlier life can be forgotten there.
 *
 * Space: frames below `guestFrames` hold guest memory, those above belong to the hypervisor: its tables, and spare
 * frames for guest pages that left their own.
 */
import type { Pfn } from "./address.ts";
import { assert } from "./assert.ts";
import { partOf, startOfPart } from "./nodes.ts";

export interface FrameSpace {
  readonly guestFrames: number;
  readonly frames: number;
  readonly nodes: number;
}

/** The node of a frame: guest memory lies on all nodes in equal parts, and so does the rest. */
export function nodeOfFrame({ guestFrames, frames, nodes }: FrameSpace, pfn: Pfn): number {
  return pfn < guestFrames
    ? partOf(pfn, guestFrames, nodes)
    : partOf(pfn - guestFrames, frames - guestFrames, nodes);
}

/** Frames of one node that hold no guest memory. */
interface Pool {
  /** Frames from here on were never given out. */
  cursor: number;
  readonly end: number;
  readonly freeTables: Pfn[];
}

export class FrameUse {
  /** Slots with bytes, or had by some frame once. Slot 0 is the frame of zeros. */
  slotsUsed = 1;
  /** Frames that it would take now, and took at most, if nobody shared any. */
  framesSaved = 0;
  framesSavedPeak = 0;
  /** Most hypervisor table frames in use at once. */
  tablesPeak = 0;
  private readonly space: FrameSpace;
  /** Users of a frame beyond the first. The host counts them; silicon knows nothing of it. */
  private readonly sharers = new Map<Pfn, number>();
  private readonly freeSpares: Pfn[] = [];
  private tablesInUse = 0;
  private readonly pools: readonly Pool[];

  constructor({ guestFrames, frames, nodes }: FrameSpace) {
    this.space = { guestFrames, frames, nodes };
    const start = (node: number) => guestFrames + startOfPart(node, frames - guestFrames, nodes);
    this.pools = Array.from({ length: nodes }, (_, node) => {
      return { cursor: start(node), end: start(node + 1), freeTables: [] };
    });
  }

  takeTable(node: number): Pfn {
    this.tablesInUse += 1;
    if (this.tablesInUse > this.tablesPeak) this.tablesPeak = this.tablesInUse;
    const { guestFrames, frames } = this.space;
    return (
      this.pools[node]?.freeTables.pop() ??
      this.takeFresh(node, () => `memory: all ${frames - guestFrames} table frames used`)
    );
  }

  /** Frames one after another, from those that were never given out; what is left out for alignment is free. */
  takeTables(count: number): Pfn | null {
    const [pool] = this.pools;
    assert(pool !== undefined, "memory: no node");
    const first = roundUp(pool.cursor, count);
    if (first + count > pool.end) return null;
    for (; pool.cursor < first; pool.cursor++) pool.freeTables.push(pool.cursor as Pfn);
    pool.cursor = first + count;
    this.tablesInUse += count;
    if (this.tablesInUse > this.tablesPeak) this.tablesPeak = this.tablesInUse;
    return first as Pfn;
  }

  takeSpare(): Pfn {
    return this.freeSpares.pop() ?? this.takeFresh(0, () => "memory: no spare frame left");
  }

  takeRow(frames: number, align: number): Pfn {
    const pool = this.pools.find(({ cursor, end }) => roundUp(cursor, align) + frames <= end);
    assert(pool !== undefined, () => `memory: no ${frames} frames in a row are left`);
    const first = roundUp(pool.cursor, align);
    pool.cursor = first + frames;
    return first as Pfn;
  }

  freeTable(pfn: Pfn): void {
    const { guestFrames } = this.space;
    assert(pfn >= guestFrames, () => `memory: frame ${pfn} is the guest's, not a table`);
    this.tablesInUse -= 1;
    this.pools[nodeOfFrame(this.space, pfn)]?.freeTables.push(pfn);
  }

  isShared(pfn: Pfn): boolean {
    return this.sharers.has(pfn);
  }

  /** One more user of the frame. */
  share(pfn: Pfn): void {
    this.sharers.set(pfn, (this.sharers.get(pfn) ?? 0) + 1);
    this.framesSaved += 1;
    if (this.framesSaved > this.framesSavedPeak) this.framesSavedPeak = this.framesSaved;
  }

  /** One user less. True when that was the last one and the frame is free now: it is not a guest page's own place. */
  release(pfn: Pfn): boolean {
    const others = this.sharers.get(pfn) ?? 0;
    if (others > 0) {
      if (others === 1) this.sharers.delete(pfn);
      else this.sharers.set(pfn, others - 1);
      this.framesSaved -= 1;
      return false;
    }
    if (pfn < this.space.guestFrames) return false;
    this.freeSpares.push(pfn);
    return true;
  }

  /** A frame of the node that was never given out, or of another one. */
  private takeFresh(node: number, exhausted: () => string): Pfn {
    const near = this.pools[node];
    const hasRoom = ({ cursor, end }: Pool) => cursor < end;
    const pool = near !== undefined && hasRoom(near) ? near : this.pools.find(hasRoom);
    assert(pool !== undefined, exhausted);
    const pfn = pool.cursor as Pfn;
    pool.cursor += 1;
    return pfn;
  }
}

function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}
