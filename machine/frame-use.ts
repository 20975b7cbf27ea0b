/**
 * Which frames of a physical memory are in use and by how many, and which slots have bytes: all that a memory knows
 * beside its arena. Power-on makes a new one, so nothing of an earlier life can be forgotten there.
 *
 * Space: frames below `guestFrames` hold guest memory, those above belong to the hypervisor: its tables, and spare
 * frames for guest pages that left their own.
 */
import type { Pfn } from "./address.ts";
import { assert } from "./assert.ts";

export interface FrameSpace {
  readonly guestFrames: number;
  readonly frames: number;
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
  private readonly freeTables: Pfn[] = [];
  private readonly freeSpares: Pfn[] = [];
  private tablesInUse = 0;
  /** Frames from here on were never given out. */
  private cursor: number;

  constructor(space: FrameSpace) {
    this.space = space;
    this.cursor = space.guestFrames;
  }

  takeTable(): Pfn {
    this.tablesInUse += 1;
    if (this.tablesInUse > this.tablesPeak) this.tablesPeak = this.tablesInUse;
    const { guestFrames, frames } = this.space;
    return (
      this.freeTables.pop() ??
      this.takeFresh(() => `memory: all ${frames - guestFrames} table frames used`)
    );
  }

  /** Frames one after another, from those that were never given out; what is left out for alignment is free. */
  takeTables(count: number): Pfn | null {
    const first = Math.ceil(this.cursor / count) * count;
    if (first + count > this.space.frames) return null;
    for (; this.cursor < first; this.cursor++) this.freeTables.push(this.cursor as Pfn);
    this.cursor = first + count;
    this.tablesInUse += count;
    if (this.tablesInUse > this.tablesPeak) this.tablesPeak = this.tablesInUse;
    return first as Pfn;
  }

  takeSpare(): Pfn {
    return this.freeSpares.pop() ?? this.takeFresh(() => "memory: no spare frame left");
  }

  takeRow(frames: number, align: number): Pfn {
    const first = Math.ceil(this.cursor / align) * align;
    assert(
      first + frames <= this.space.frames,
      () => `memory: no ${frames} frames in a row are left`,
    );
    this.cursor = first + frames;
    return first as Pfn;
  }

  freeTable(pfn: Pfn): void {
    const { guestFrames } = this.space;
    assert(pfn >= guestFrames, () => `memory: frame ${pfn} is the guest's, not a table`);
    this.tablesInUse -= 1;
    this.freeTables.push(pfn);
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

  private takeFresh(exhausted: () => string): Pfn {
    assert(this.cursor < this.space.frames, exhausted);
    const pfn = this.cursor as Pfn;
    this.cursor += 1;
    return pfn;
  }
}
